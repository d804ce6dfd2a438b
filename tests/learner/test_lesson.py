"""Lessons: what is trained on and what is examined on, from a real ledger and real files."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from fact_builders import NOON, event, offered, session, settlement
from hypothesis import given
from hypothesis import strategies as st

from learner.cli import data
from learner.examples import Dropped, Example, Lesson, Selection, Source
from learner.facts import EventKind, Horizon, Offered
from learner.ignored import keep_globs
from learner.ledger import Ledger
from learner.ledger_file import connect_to_read
from learner.lesson import Examined, answer_lines, prepare, split_by_time
from models.home import Home
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.facts import Fact

MINUTE = 60.0
HOUR = 60 * MINUTE


def accepted(number: int, at: float, **changes: Any) -> Iterator[Fact]:
    """An accepted offer of a line of its own."""
    text = f"price_{number}(cart, {number})"
    prompt = Prompt(f"import shop\n\n\nvalue_{number} = ", "\nprint(shop)\n", "a.py", "shop")
    values = {"text": text, "prompt": prompt, "offered_at": at, "project": "", **changes}
    yield offered(f"o{number}", **values)
    yield event(EventKind.ACCEPTED, offer_id=f"o{number}")
    yield settlement(values["text"], offer_id=f"o{number}")


def day(count: int, start: float = NOON, **changes: Any) -> Iterator[Fact]:
    """Accepted offers, one a minute, in five files."""
    yield session()
    for number in range(count):
        uri = changes.get("uri", f"file:///shop/file_{number % 5}.py")
        yield from accepted(number, start + number * MINUTE, **{**changes, "uri": uri})


class School:
    """A home with a ledger, a project with files, and the lessons they make."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.project = root / "shop"
        self.project.mkdir()

    def record(self, *facts: Fact) -> None:
        troubles: list[str] = []
        ledger = Ledger.open(self.home.ledger, on_trouble=troubles.append, clock=lambda: NOON)
        for fact in facts:
            ledger.record(fact)
        assert ledger.close()
        assert troubles == []

    def write(self, name: str, text: str) -> None:
        (self.project / name).write_text(text, "utf-8")

    def lesson(self, **selection: Any) -> Lesson:
        connection = connect_to_read(self.home.ledger)
        try:
            return prepare(connection, self.home, Selection(**selection), clock=lambda: NOON + 24 * HOUR)
        finally:
            connection.close()


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


def of(lesson: Lesson, source: Source) -> list[Example]:
    return [example for example in lesson.training if example.source is source]


def function(name: str) -> str:
    return f"def {name}(cart, count):\n    total = cart.price * count + len('{name}')\n    return total\n\n\n"


def test_the_newest_fifth_is_only_examined_on(school: School) -> None:
    school.record(*day(150))
    lesson = school.lesson()
    outcomes = of(lesson, Source.OUTCOME)
    assert lesson.outcomes == 150
    assert 24 <= len(lesson.exam) <= 36
    assert max(example.at for example in outcomes) < min(example.at for example in lesson.exam)
    assert [example.at for example in lesson.exam] == sorted(example.at for example in lesson.exam)
    assert [example.at for example in outcomes] == sorted((each.at for each in outcomes), reverse=True)


@pytest.mark.parametrize(("count", "exam", "training"), [(10, 10, 0), (20, 20, 0), (30, 20, 10)])
def test_with_few_outcomes_the_exam_comes_first(school: School, count: int, exam: int, training: int) -> None:
    school.record(*day(count))
    lesson = school.lesson()
    assert (len(lesson.exam), len(of(lesson, Source.OUTCOME))) == (exam, training)


def test_the_exam_begins_after_a_pause(school: School) -> None:
    """30 would be a fifth of 150: 33 offers after a pause of two hours are nearly that."""
    facts = list(day(150))
    later = {f"o{number}" for number in range(117, 150)}
    moved = [
        replace(fact, offered_at=fact.offered_at + 2 * HOUR)
        if isinstance(fact, Offered) and fact.offer_id in later
        else fact
        for fact in facts
    ]
    school.record(*moved)
    assert {example.offer_id for example in school.lesson().exam} == later


def example_at(at: float, target: str = "x = compute(1)") -> Example:
    return Example(Prompt(f"# {at}\n", "\n"), target, 1.0, Source.OUTCOME, "file:///a.py", at)


@given(st.lists(st.integers(0, 500), max_size=120), st.integers(0, 40), st.integers(0, 60))
def test_whatever_the_times_nothing_of_the_exam_precedes_training(
    times: list[int], least: int, more: int
) -> None:
    newest_first = [example_at(float(at)) for at in sorted(times, reverse=True)]
    selection = Selection(exam_least=least, exam_most=least + more)
    training, exam = split_by_time(newest_first, selection)
    assert len(training) + len(exam) == len(times)
    if training and exam:
        assert max(each.at for each in training) < min(each.at for each in exam)


def test_a_line_completed_again_and_again_counts_twice(school: School) -> None:
    line = "total = price(cart, count)"
    facts: list[Fact] = [session()]
    for typed in range(8, 20):
        offer = offered(
            f"o{typed}",
            offered_at=NOON + typed,
            text="wrong",
            project="",
            prompt=Prompt(f"import shop\n{line[:typed]}", "\n"),
        )
        facts += [offer, event(EventKind.DIVERGED, offer_id=offer.offer_id)]
        facts += [settlement(line[typed:], Horizon.S30, 1, 9, offer_id=offer.offer_id)]
    school.record(*facts)
    lesson = school.lesson()
    assert [example.target for example in lesson.exam] == [line[8:], line[9:]]
    assert lesson.dropped == {Dropped.DUPLICATE: 10}


def test_one_file_gives_no_more_than_its_share(school: School) -> None:
    facts: list[Fact] = [session()]
    for number in range(200):
        name = "giant" if number % 10 else f"file_{number}"
        facts += accepted(number, NOON + number * MINUTE, uri=f"file:///shop/{name}.py")
    school.record(*facts)
    lesson = school.lesson()
    outcomes = of(lesson, Source.OUTCOME)
    giant = [example for example in outcomes if example.file.endswith("giant.py")]
    assert len(giant) == int(0.2 * (len(outcomes) + lesson.dropped[Dropped.FILE_SHARE]))
    assert max(example.at for example in giant) == max(example.at for example in outcomes)  # the newest stay


def test_replay_has_its_share(school: School) -> None:
    school.record(*day(80))
    lesson = school.lesson()
    assert len(of(lesson, Source.REPLAY)) == round(len(lesson.training) * 0.25)
    assert of(school.lesson(replay_share=0.0), Source.REPLAY) == []


def test_the_files_of_the_ledgers_projects_are_learned_from(school: School) -> None:
    school.write("shop.py", "".join(function(f"price_of_{number}") for number in range(30)))
    school.record(*day(40, project=str(school.project)))
    examples = of(school.lesson(), Source.REPOSITORY)
    assert {example.file for example in examples} == {(school.project / "shop.py").as_uri()}
    assert all(example.prompt.repository == "shop" for example in examples)


def test_what_an_editor_ignores_is_not_learned_from(school: School) -> None:
    for name in ("own", "made"):
        school.write(f"{name}.py", "".join(function(f"{name}_{number}") for number in range(30)))
    school.record(*day(40, project=str(school.project)))
    own, made = ((school.project / name).as_uri() for name in ("own.py", "made.py"))
    keep_globs(school.home.ignored, [school.project], ["made.py"])
    assert {example.file for example in of(school.lesson(), Source.REPOSITORY)} == {own}
    keep_globs(school.home.ignored, [school.project], [])
    assert {example.file for example in of(school.lesson(), Source.REPOSITORY)} == {own, made}


def test_given_folders_are_learned_from_too(school: School, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.py").write_text("".join(map(function, ("one", "two", "three", "four"))), "utf-8")
    school.record(*day(40))
    assert of(school.lesson(projects=(tmp_path / "other",)), Source.REPOSITORY)


def test_no_text_around_the_exams_answers_is_trained_on(school: School) -> None:
    """The exam's lines stand in the files by now: the developer accepted them there."""
    names = [f"name_{number}" for number in range(60)]
    school.write("shop.py", "".join(f"{name}_value = price(cart, {name})\n" + "\n" * 4 for name in names))
    facts: list[Fact] = [session()]
    for number, name in enumerate(names):
        facts += accepted(
            number,
            NOON + number * MINUTE,
            text=f"price(cart, {name})",
            prompt=Prompt(f"import shop\n{name}_value = ", "\n"),
            uri=(school.project / "shop.py").as_uri(),
            project=str(school.project),
        )
    school.record(*facts)
    lesson = school.lesson()
    examined = {line for example in lesson.exam for line in answer_lines(example)}
    trained = {line for example in of(lesson, Source.REPOSITORY) for line in answer_lines(example)}
    assert len(examined) == len(lesson.exam) == 20 and trained
    assert examined.isdisjoint(trained)
    assert lesson.dropped[Dropped.IN_EXAM] > 0


def test_lines_beside_an_answer_are_in_the_exam_as_well() -> None:
    exam = replace(example_at(1.0, "compute(1)"), prompt=Prompt("value = ", "\n"))
    examined = Examined.of([exam])
    lines = ["a = 1\n", "b = 2\n", "c = 3\n", "value = compute(1)\n", "d = 4\n", "e = 5\n", "f = 6\n"]
    beside = [examined.stands_beside(replace(exam, line=row, target="x"), lines) for row in range(len(lines))]
    assert beside == [False, True, True, True, True, True, False]


def test_a_renamed_files_telling_lines_are_known_again() -> None:
    exam = replace(example_at(1.0, "compute(first, second)"), prompt=Prompt("value = ", "\n"))
    short = replace(exam, target="f(1)")
    elsewhere = replace(exam, file="file:///renamed.py", line=0, target="x")
    assert Examined.of([exam]).stands_beside(elsewhere, ["value = compute(first, second)\n"])
    assert not Examined.of([short]).stands_beside(elsewhere, ["value = f(1)\n"])


def test_a_line_that_recurs_may_be_learned_where_it_stood_before_the_exam() -> None:
    exam = replace(example_at(5.0, "logging.getLogger(__name__)"), prompt=Prompt("log = ", "\n"))
    examined = Examined.of([exam])
    before = replace(exam, file="file:///other.py", at=4.0, line=0)
    assert not examined.stands_beside(before, ["log = logging.getLogger(__name__)\n"])
    assert not examined.has(before)
    assert examined.has(replace(before, file=exam.file))


def test_what_says_the_same_is_trained_on_once(school: School) -> None:
    facts: list[Fact] = [session()]
    for number in range(30):
        facts += accepted(
            number,
            NOON + number * MINUTE,
            text="load(name)" if number < 10 else f"load({number})",
            prompt=Prompt("import shop\nvalue = ", "\n"),
            uri=f"file:///shop/file_{number}.py",
        )
    school.record(*facts)
    targets = [example.target for example in of(school.lesson(), Source.OUTCOME)]
    assert targets == ["load(name)"]
    assert school.lesson().dropped == {Dropped.DUPLICATE: 9}


def test_all_rejected_leaves_negatives_and_no_exam(school: School) -> None:
    facts: list[Fact] = [session()]
    for number in range(30):
        offer, *_ = accepted(number, NOON + number * MINUTE)
        facts += [offer, event(EventKind.REJECTED, offer_id=f"o{number}")]
        facts += [settlement("", Horizon.S30, 0, 9, offer_id=f"o{number}")]
    school.record(*facts)
    lesson = school.lesson()
    outcomes = of(lesson, Source.OUTCOME)
    assert (len(outcomes), len(lesson.exam)) == (30, 0)
    assert all(example.rejected and not example.target and not example.ends for example in outcomes)


def test_the_same_ledger_and_files_make_the_same_lesson(school: School) -> None:
    school.write("shop.py", "".join(function(f"price_of_{number}") for number in range(30)))
    school.record(*day(60, project=str(school.project)))
    assert school.lesson() == school.lesson()
    assert school.lesson() != school.lesson(seed=1)


def test_nightschools_own_home_is_not_learned_from(tmp_path: Path) -> None:
    school = School(tmp_path)
    inside = school.project / "home"
    inside.mkdir()
    (inside / "a.py").write_text("".join(map(function, ("one", "two", "three"))), "utf-8")
    school.home = Home(inside)
    school.record(*day(30, project=str(school.project)))
    lesson = school.lesson()
    assert of(lesson, Source.REPOSITORY) == []
    assert lesson.dropped[Dropped.PRIVATE_FILE] == 1


def test_of_a_large_ledger_only_the_newest_are_read(school: School) -> None:
    """Reading all 20,000 would raise the count of those looked at; each row is otherwise sound."""
    facts: list[Fact] = [session()]
    draw = random.Random(0)
    for number in range(20_000):
        facts += accepted(number, NOON + number, uri=f"file:///shop/file_{draw.randrange(50)}.py")
    school.record(*facts)
    lesson = school.lesson(outcomes=500, exam_most=100, replay_share=0.0)
    assert lesson.outcomes == 600
    assert len(lesson.exam) + len(lesson.training) + sum(lesson.dropped.values()) == 600


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"replay_share is 1\.5"):
        Selection(replay_share=1.5)
    with pytest.raises(ValueError, match="exam_most is -1"):
        Selection(exam_most=-1)


# -- nightschool data show --training ------------------------------------------------------------------


def show(school: School, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(school.home.root))
    return CliRunner().invoke(data, ["show", "--training", *arguments])


def test_the_command_shows_just_what_tonight_would_use(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    school.write("shop.py", "".join(function(f"price_of_{number}") for number in range(30)))
    school.record(*day(60, project=str(school.project)))
    shown = json.loads(show(school, monkeypatch, "--json").stdout)
    connection = connect_to_read(school.home.ledger)
    lesson = prepare(connection, school.home, Selection())
    connection.close()
    trained = [each for each in shown["examples"] if each["set"] == "training"]
    assert [each["target"] for each in trained] == [example.target for example in lesson.training]
    assert [each["weight"] for each in trained] == [example.weight for example in lesson.training]
    assert shown["exam"] == len(lesson.exam) == 20
    assert shown["training"] == {str(source): len(of(lesson, source)) for source in Source}
    assert shown["dropped"] == lesson.dropped
    assert "PSF" in shown["generic"]
    first = trained[0]
    assert (first["before"], first["target"]) == ("value_39 = ", "price_39(cart, 39)")
    assert (first["file"], first["line"]) == ("file:///shop/file_4.py", 3)


def test_the_table_names_place_target_and_what_was_not_wanted(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected = [
        offered("corrected", offered_at=NOON - HOUR),
        event(EventKind.ACCEPTED, offer_id="corrected"),
        settlement("add(1, 3)", Horizon.S30, 8, 1, offer_id="corrected"),
    ]
    school.record(*day(30), *corrected)
    result = show(school, monkeypatch, "--limit", "100")
    assert result.exit_code == 0
    assert "a.py:3" in result.stdout and "add(1, 3)" in result.stdout and "add(1, 2)" in result.stdout
    assert "20 newest outcomes, never trained on" in result.stdout
    assert "PSF-2.0" in result.stdout


def test_with_nothing_to_learn_the_command_says_what_is_missing(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = show(school, monkeypatch)
    assert (missing.exit_code, "no ledger" in missing.stderr) == (3, True)
    school.record(session(), offered(), event(EventKind.UNSEEN))
    empty = show(school, monkeypatch)
    assert empty.exit_code == 3
    assert "nothing to train on yet" in empty.stderr
    assert "1 not seen" in empty.stdout
    assert show(school, monkeypatch, "o1").exit_code == 2


def test_a_project_in_git_that_is_broken_is_read_by_time(school: School) -> None:
    school.write("shop.py", "".join(function(f"price_of_{number}") for number in range(30)))
    subprocess.run(["git", "init", "-q"], cwd=school.project, check=True)
    (school.project / ".git" / "HEAD").write_text("nonsense", "utf-8")
    school.record(*day(40, project=str(school.project)))
    assert of(school.lesson(), Source.REPOSITORY)
