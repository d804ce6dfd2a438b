"""What is remembered is found again at a like place, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory_places import DAY, Clock, Teacher, place

from learner.memory.chunk import chunk_of
from learner.memory.episode import Kind
from learner.memory.recall import Vocabulary

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from memory_places import Clock

    from learner.memory.store import Memory

ORDERS = "def load_orders(session):\n    log = bind(area='orders')\n    result = |\n    return 1\n"
USERS = "def load_users(session):\n    log = bind(area='users')\n    result = |\n    return 1\n"
FETCH = "session.fetch_all(Order, limit=PAGE)"


def test_a_correction_made_once_is_believed_at_a_like_place(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), FETCH, offered="session.query(Order)", kind=Kind.CORRECTION)
    best = memory.recall(place(USERS, "file:///p/b.py"))[0]
    assert (best.text, best.exact, best.support) == (FETCH, True, 1)
    assert best.wrong == "session.query(Order)"
    assert memory.believes(best)


def test_what_was_typed_already_is_not_repeated(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), FETCH)
    best = memory.recall(place(USERS.replace("|", "session.fe|"), "file:///p/b.py"))[0]
    assert best.text == "tch_all(Order, limit=PAGE)"


def test_an_unlike_place_is_left_to_the_model(memory: Memory, teacher: Teacher):
    teacher.tell(place("def f():\n    return |\n"), "Response(status=204)")
    there = place("class Tree:\n    def depth(self, node):\n        return |\n", "file:///q/t.py", "/q")
    assert not any(memory.believes(each) for each in memory.recall(there))
    assert memory.recall(place("local x = |", language="lua")) == []


def test_the_block_is_indented_as_the_place_is(memory: Memory, teacher: Teacher):
    teacher.tell(
        place("def close_session(self):\n    |\n"),
        "try:\n        self.session.close()\n    finally:\n        self.session = None",
    )
    found = memory.recall(place("class A:\n    def close_session(self):\n        |\n"))[0]
    assert (
        found.text
        == "try:\n            self.session.close()\n        finally:\n            self.session = None"
    )


def test_the_same_line_again_is_one_pattern_with_a_count(memory: Memory, teacher: Teacher):
    for name in "abc":
        teacher.tell(place(USERS, f"file:///p/{name}.py"), FETCH)
    found = memory.recall(place(ORDERS, "file:///p/z.py"))
    assert [each.support for each in found] == [3]


def test_many_offers_while_one_line_is_typed_are_one_occasion(memory: Memory, teacher: Teacher, clock: Clock):
    for typed in ("", "s", "se", "ses"):
        clock.now -= 599.5
        teacher.tell(place(ORDERS.replace("|", typed + "|")), FETCH.removeprefix(typed))
    assert [each.support for each in memory.recall(place(USERS))] == [1]


def test_a_text_that_changed_again_is_remembered_as_it_is_now(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), "session.fetch(Order)", offer_id="one")
    teacher.tell(place(ORDERS), FETCH, offer_id="one")
    assert [each.text for each in memory.recall(place(USERS))] == [FETCH]


def test_newer_text_contradicts_older(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), "session.query(Order).all()")
    teacher.tell(place(USERS, "file:///p/b.py"), FETCH)
    best = memory.recall(place(USERS, "file:///p/c.py"))[0]
    assert best.text == FETCH
    assert memory.believes(best)


def test_what_is_contradicted_more_often_than_it_was_written_is_forgotten(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), FETCH)
    for number, other in enumerate(["one(session)", "two(session)"]):
        teacher.tell(place(ORDERS, f"file:///p/{number}.py"), other, kind=Kind.KEPT, offered=other)
    assert FETCH not in [each.text for each in memory.recall(place(ORDERS, "file:///p/z.py"))]


def test_a_memory_that_contradicts_itself_keeps_silent(memory: Memory, teacher: Teacher):
    for number in range(6):
        text = "alpha(row, strict=True)" if number % 2 else "beta(row, lazy=False)"
        teacher.tell(place(f"def f{number}(row):\n    value = |\n", f"file:///p/{number}.py"), text)
    found = memory.recall(place("def g(row):\n    value = |\n", "file:///p/z.py"))
    assert len(found) <= 2
    assert not any(memory.believes(each) for each in found)


def test_the_rule_learns_where_memory_is_of_no_use(memory: Memory, teacher: Teacher):
    before = memory.rule.weights["begun"]
    for number in range(12):
        teacher.tell(
            place(f"def g{number}(rows):\n    total = |\n", f"file:///p/{number}.py"),
            f"compute_{number}(rows)",
        )
    assert memory.rule.examples > 5
    assert memory.rule.weights["begun"] < before


def test_an_unused_memory_fades(opened: Callable[..., Memory], clock: Clock):
    memory = opened()
    Teacher(memory, clock).tell(place(ORDERS), FETCH)
    memory.close()
    clock.now += 40 * DAY
    memory = opened()
    assert memory.recall(place(USERS)) != []
    memory.close()
    clock.now += 80 * DAY
    assert opened().recall(place(USERS)) == []


def test_a_prompt_shows_what_was_written_in_like_places(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), FETCH)
    chunk = chunk_of(memory.recall(place(USERS, "file:///p/b.py")), seen=())
    assert chunk is not None
    assert chunk.path == "a.py"
    assert chunk.text.endswith(f"log = bind(area='orders')\n    result = {FETCH}\n")
    assert chunk_of(memory.recall(place(USERS, "file:///p/b.py")), seen={f"result = {FETCH}"}) is None


def test_half_a_surrogate_pair_is_text_like_any_other(memory: Memory, teacher: Teacher):
    teacher.tell(place("names = '\ud83d' + |"), "join_surrogates(text)")
    assert memory.recall(place("names = '\ud83d' + |"))[0].text == "join_surrogates(text)"


def test_the_words_are_counted_as_they_are_in_the_copy(memory: Memory, teacher: Teacher):
    teacher.tell(place(ORDERS), FETCH)
    teacher.tell(place(USERS, "file:///p/b.py"), FETCH)
    teacher.tell(place("def f(rows):\n    total = |\n"), "compute(rows, orders)")

    def counted(copy: sqlite3.Connection) -> bool:
        fresh, kept = Vocabulary.of(copy), memory._copy.vocabulary
        words = ("orders", "users", "session", "rows", "total", "absent")
        return [fresh.count(copy, word) for word in words] == [kept.count(copy, word) for word in words]

    assert memory._copy.ask(counted, False)
