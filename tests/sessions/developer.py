"""A simulated developer: scenes at an editor, each of which knows what became of its offer.

The truth is what the scene did, written down as it did it; nothing is asked of the code under test. Each
scene works on a line of its own, so that its text is known at each moment while everything around it moves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.sessions.editor import Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.sessions.editor import Editor, Ghost

FUNCTIONS = 8
ANSWERS = (
    "compute(first, second)",
    "sum(values) / len(values)",
    "[row.name for row in rows]",
    "open_file(path, mode='rb')",
    "max(left.size, right.size)",
    'settings["timeout"]',
    "items.pop(0)",
    "Point(x=1.5, y=offset)",
    "naïve_π + 'ß𝄞'",
)
BLOCKS = (
    "found = find(key)\n        if found:\n            return found",
    "start()\n        for row in rows:\n            row.close()",
)
"""Below a line that opens a block in a function."""
OTHERS = ("42", "None", "left @ right", "parse(line)", "'text'")
PASTES = ("https://example.org/a/b?c=d", "alpha = beta\n    gamma = delta", "x, y, z, w = rows")

START = "# top\nimport os\n" + "".join(f"\n\ndef part_{n}():\n    pass\n" for n in range(FUNCTIONS))


@dataclass
class Truth:
    """What the script knows of one offer."""

    scene: str
    offer_id: str
    offered_at: float
    label: str
    texts: list[tuple[float, str]] = field(default_factory=list)
    """What stands there from each moment on."""

    def text_at(self, moment: float) -> str:
        return [text for since, text in self.texts if since <= moment][-1]


class Developer:
    def __init__(self, editor: Editor, seed: int, without: Sequence[str] = ()) -> None:
        self.editor = editor
        self._without = without
        """Scenes that are not played."""
        self.truths: list[Truth] = []
        self._random = random.Random(seed)
        self._lines = 0
        self._scene = ""
        self._later: list[tuple[float, Callable[[], None]]] = []

    def work(self, offers: int) -> None:
        """Play scenes until there were ``offers`` offers, then let the last texts settle."""
        scenes = [name for name in dir(self) if name.startswith("scene_") and name not in self._without]
        bag: list[str] = []
        while len(self.truths) < offers:
            if not bag:
                bag = self._random.sample(scenes, len(scenes))
            self._scene = bag.pop()
            getattr(self, self._scene)()
            self.editor.wait(self._random.uniform(1.2, 6))
            self._run_due()
        while self._later:
            self.editor.wait(5)
            self._run_due()
        self.editor.wait(self._random.choice((20, 700)))

    # -- accepts

    def scene_accept(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(self._random.uniform(0.4, 3))
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)

    def scene_accept_at_once(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.25)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.type(" + 1")

    def scene_accept_block(self) -> None:
        truth, ghost = self._offer(self._random.choice(BLOCKS), block=True)
        self.editor.wait(1)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)

    def scene_accept_rest(self) -> None:
        """Type some of the offer, then accept what is left of it."""
        answer = self._answer()
        truth, _ = self._offer(answer)
        size = self._random.randrange(1, len(answer) - 3)
        self.editor.type(answer[:size])
        rest = self.editor.ask(None)
        assert rest is not None
        self.editor.wait(0.5)
        self._accept(rest)
        self._stands(truth, "accepted", answer)

    def scene_accept_then_edit(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "edited", ghost.text)
        place = self._name()
        cut = self._random.randrange(2, len(ghost.text) - 2)

        def edit() -> None:
            self._go_behind(place, cut)
            for removed in (1, 2):
                self.editor.backspace(1)
                self._stands(truth, "edited", ghost.text[: cut - removed] + ghost.text[cut:])
            for new in ("q", "q_", "q_7"):
                self.editor.type(new[-1])
                self._stands(truth, "edited", ghost.text[: cut - 2] + new + ghost.text[cut:])

        self._soon(edit, 1, 200)

    def scene_accept_then_change_the_end(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self.editor.wait(0.5)
        self.editor.backspace(1)
        self.editor.type(" or b")
        self._stands(truth, "edited", ghost.text[:-1] + " or b")

    def scene_accept_then_delete_line(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "edited", ghost.text)
        place = self._name()

        def delete() -> None:
            start = self.editor.text.index(place) - 5
            self._edit(Replacement(start, self.editor.text.index("\n", start + 1), ""))
            self._stands(truth, "edited", "")

        self._soon(delete, 3, 100)

    def scene_undo(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self.editor.wait(self._random.uniform(0.3, 4))
        self.editor.undo(self._random.choice((1, 1, 4)))
        self._stands(truth, "rejected", "")

    def scene_undo_and_redo(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self.editor.wait(self._random.uniform(0.3, 4))
        self.editor.undo(self._random.choice((1, 3)))
        self.editor.wait(1)
        self.editor.redo()
        self._stands(truth, "accepted", ghost.text)

    # -- parts

    def scene_part(self) -> None:
        answer = self._answer()
        truth, ghost = self._offer(answer)
        self.editor.wait(0.9)
        size = self._word(answer)
        self.editor.accept_part(ghost, size)
        self._stands(truth, "partial", answer[:size])

    def scene_part_then_type_rest(self) -> None:
        answer = self._answer()
        truth, ghost = self._offer(answer)
        self.editor.wait(0.9)
        size = self._word(answer)
        self.editor.accept_part(ghost, size)
        self.editor.wait(1.5)
        self.editor.type(answer[size:])
        self._stands(truth, "partial", answer)

    def scene_part_then_other(self) -> None:
        answer = self._answer()
        truth, ghost = self._offer(answer)
        self.editor.wait(0.9)
        size = self._word(answer)
        self.editor.accept_part(ghost, size)
        self.editor.wait(0.4)
        self.editor.type("~zq")
        self._stands(truth, "partial", answer[:size] + "~zq")

    # -- typing

    def scene_type_all(self) -> None:
        answer = self._answer()
        truth, _ = self._offer(answer)
        self.editor.wait(0.3)
        for key in answer:
            self.editor.type(key, self._random.uniform(0.05, 0.3))
            self.editor.ask(None)
        self._stands(truth, "typed", answer)

    def scene_type_all_with_pairs(self) -> None:
        """The editor closes brackets, and typing the closing one overtypes it."""
        answer = self._random.choice(("call(inner)", "table[index]", "f(g[h])"))
        truth, _ = self._offer(answer)
        self.editor.wait(0.3)
        self._type_with_pairs(answer)
        self._stands(truth, "typed", answer)

    def scene_type_with_typo(self) -> None:
        answer = self._answer()
        truth, _ = self._offer(answer)
        self.editor.wait(0.3)
        cut = self._random.randrange(2, len(answer) - 1)
        self.editor.type(answer[:cut] + "§", 0.12)
        self.editor.backspace(1)
        self.editor.type(answer[cut:], 0.12)
        self._stands(truth, "typed", answer)

    def scene_type_block(self) -> None:
        """Enter brings its indentation at once."""
        answer = self._random.choice(BLOCKS)
        truth, _ = self._offer(answer, block=True)
        self.editor.wait(0.3)
        first, *rest = answer.split("\n")
        self.editor.type(first)
        for line in rest:
            self.editor.wait(0.2)
            body = line.lstrip()
            self.editor.insert("\n" + line[: len(line) - len(body)])
            self.editor.type(body)
        self._stands(truth, "typed", answer)

    def scene_diverge(self) -> None:
        answer = self._answer()
        truth, _ = self._offer(answer)
        self.editor.wait(self._random.uniform(0.25, 3))
        size = self._random.randrange(0, len(answer) - 2)
        typed = answer[:size] + "%" + self._random.choice(OTHERS)
        self.editor.type(typed)
        self._stands(truth, "diverged", typed)

    def scene_other_bracket(self) -> None:
        truth, _ = self._offer("call(inner)")
        self.editor.wait(0.4)
        self._type_with_pairs("call(other)")
        self._stands(truth, "diverged", "call(other)")

    # -- not taken

    def scene_reject(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(1.1)
        self.editor.escape(ghost)
        typed = "%" + self._random.choice(OTHERS)
        self.editor.wait(0.5)
        self.editor.type(typed)
        self._stands(truth, "rejected" if self.editor.reports else "diverged", typed)

    def scene_ignore(self) -> None:
        truth, _ = self._offer(self._answer())
        self.editor.wait(self._random.uniform(0.9, 4))
        self._edit_elsewhere()
        self._stands(truth, "ignored", "")

    def scene_ignore_and_come_back(self) -> None:
        truth, _ = self._offer(self._answer())
        self.editor.wait(self._random.uniform(0.9, 4))
        self._edit_elsewhere()
        self._stands(truth, "ignored", "")
        place, other = self._name(), self._random.choice(OTHERS)

        def come_back() -> None:
            self._go_behind(place, 0)
            for size, key in enumerate(other, 1):
                self.editor.type(key)
                self._stands(truth, "ignored", other[:size])

        self._soon(come_back, 2, 60)

    def scene_stand_for_long(self) -> None:
        truth, _ = self._offer(self._answer())
        self.editor.wait(45)
        self._stands(truth, "ignored", "")

    def scene_backspace_before(self) -> None:
        truth, _ = self._offer(self._answer())
        self.editor.wait(1.5)
        self.editor.backspace(2)
        self._stands(truth, "ignored", "")

    def scene_too_fast(self) -> None:
        truth, _ = self._offer(self._answer())
        typed = "%" + self._random.choice(OTHERS)
        self.editor.type(typed, 0.08)
        self._stands(truth, "unseen", typed)

    def scene_supersede(self) -> None:
        first, second = self._random.sample(ANSWERS, 2)
        truth, _ = self._offer(first)
        self.editor.wait(1.5)
        ghost = self.editor.ask(second)
        assert ghost is not None
        newer = self._true(ghost.offer_id)
        self.editor.wait(0.7)
        self._accept(ghost)
        self._stands(truth, "superseded", second)
        self._stands(newer, "accepted", second)

    def scene_hidden(self) -> None:
        self._fresh_line()
        self.editor.ask(self._answer(), hidden=True)
        truth = self._true(self.editor.wire.last_id())
        typed = self._random.choice(OTHERS)
        self.editor.type(typed)
        self._stands(truth, "hidden", typed)

    # -- what is no typing

    def scene_paste_instead(self) -> None:
        truth, _ = self._offer(self._answer())
        self.editor.wait(1.2)
        self.editor.insert(self._random.choice(PASTES))
        self._stands(truth, "ignored", "")

    def scene_paste_into_accepted(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(2)
        self.editor.cursor -= 3
        self.editor.insert(self._random.choice(PASTES))
        self._stands(truth, "accepted", ghost.text)

    def scene_format(self) -> None:
        """A formatter spaces the operators, in small edits or as one new document."""
        truth, ghost = self._offer("a+b*(c-d)")
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(3)
        start = self.editor.text.index(self._name()) + len(self._name())
        if self._random.random() < 0.5:
            self._edit(*(Replacement(start + at, start + at, " ") for at in (7, 6, 4, 3, 2, 1)))
        else:
            new = self.editor.text.replace("a+b*(c-d)", "a + b * (c - d)")
            spaced = "pass \n" in new
            new = new.replace("pass \n", "pass\n") if spaced else new.replace("pass\n", "pass \n")
            self._edit(Replacement(0, len(self.editor.text), new))
        self._stands(truth, "accepted", self._line()[len(self._name()) :])

    def scene_reload(self) -> None:
        """The file is read again from the disk, with another text on this line and new lines above."""
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(3)
        line = self._line()
        new = self.editor.text.replace(line, self._name() + "from_another_branch()  # theirs")
        new = new.replace("import os\n", f"import os\nimport other_{self._lines}\n")
        self._edit(Replacement(0, len(self.editor.text), new))
        self._stands(truth, "accepted", ghost.text)

    def scene_reload_elsewhere(self) -> None:
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(3)
        new = self.editor.text.replace("import os\n", f"import os\nimport more_{self._lines}\n")
        new = new + f"\n# end {self._lines}\n"
        self._edit(Replacement(0, len(self.editor.text), new))

    def scene_rename(self) -> None:
        truth, ghost = self._offer(f"value_{self._lines}.run(value_{self._lines})")
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(3)
        old, new = f"value_{self._lines - 1}", f"amount_{self._lines}"
        starts = [at for at in range(len(self.editor.text)) if self.editor.text.startswith(old + ".", at)]
        starts += [at for at in range(len(self.editor.text)) if self.editor.text.startswith(old + ")", at)]
        self._edit(*(Replacement(at, at + len(old), new) for at in sorted(starts, reverse=True)))
        self._stands(truth, "accepted", ghost.text)

    def scene_agent(self) -> None:
        """An agent rewrites several places at once, this line among them."""
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        self._accept(ghost)
        self._stands(truth, "accepted", ghost.text)
        self.editor.wait(3)
        start = self.editor.text.index(self._name()) + len(self._name())
        top = self.editor.text.index("# top")
        self._edit(
            Replacement(start, start + len(ghost.text), "agent_wrote(this, instead)\n    and_more()"),
            Replacement(top, top, f"from agent import thing_{self._lines}\n"),
        )
        self._stands(truth, "accepted", ghost.text)

    def scene_many_cursors(self) -> None:
        """Accept at several cursors, then type at all of them."""
        truth, ghost = self._offer(self._answer())
        self.editor.wait(0.8)
        other = self._place_elsewhere()
        here = self.editor.cursor
        at = sorted((here, other), reverse=True)
        self.editor.apply(
            *(Replacement(place, place, ghost.text) for place in at),
            cursor=here + len(ghost.text) * (2 if other < here else 1),
        )
        if self.editor.reports or self._random.random() < 0.7:
            self.editor.wire.command(ghost.offer_id)
        self.editor.wait(0.5)
        there = self.editor.text.index(self._line()) + len(self._line())
        self._edit(Replacement(there, there, "!"), Replacement(0, 0, "!"))
        self._stands(truth, "accepted", ghost.text)

    def scene_type_with_many_cursors(self) -> None:
        answer = self._answer()
        truth, _ = self._offer(answer)
        self.editor.wait(0.5)
        for n, key in enumerate(answer):
            self.editor.wait(0.1)
            other = self.editor.text.index("# top")
            here = self.editor.cursor
            self.editor.apply(
                Replacement(here, here, key), Replacement(other, other, key if n else "#"), cursor=here + 2
            )
        self._stands(truth, "typed", answer)

    def scene_lie(self) -> None:
        """The client runs the command of an offer that it never inserts."""
        truth, ghost = self._offer(self._answer())
        self.editor.wait(1)
        self.editor.wire.command(ghost.offer_id)
        self.editor.wire.command("no-such-offer")
        self.editor.wait(2.5)
        self._edit_elsewhere()
        self._stands(truth, "ignored", "")

    # -- the developer's hands

    def _offer(self, answer: str, *, block: bool = False) -> tuple[Truth, Ghost]:
        self._fresh_line()
        if block:
            self.editor.type("1")
            self.editor.insert("\n    ")
            self.editor.type("if ready:")
            self.editor.insert("\n        ")
        ghost = self.editor.ask(answer)
        assert ghost is not None and ghost.text == answer
        return self._true(ghost.offer_id), ghost

    def _fresh_line(self) -> None:
        """Open a line in some function and type a name that no other line has."""
        head = f"def part_{self._random.randrange(FUNCTIONS)}():"
        self.editor.cursor = self.editor.text.index(head) + len(head)
        self.editor.insert("\n    ")
        self.editor.type(f"value_{self._lines} = ")
        self._lines += 1
        self.editor.wait(self._random.uniform(0.3, 1))

    def _true(self, offer_id: str) -> Truth:
        truth = Truth(
            self._scene.removeprefix("scene_"),
            offer_id,
            self.editor.clock.now,
            "",
            [(self.editor.clock.now, "")],
        )
        self.truths.append(truth)
        return truth

    def _stands(self, truth: Truth, label: str, text: str) -> None:
        truth.label = label
        truth.texts.append((self.editor.clock.now, text))

    def _accept(self, ghost: Ghost) -> None:
        """Accept; a stock client may leave the command out, ours may send it first."""
        command = self.editor.reports or self._random.random() < 0.7
        self.editor.accept(ghost, command=command, command_first=self._random.random() < 0.3)

    def _answer(self) -> str:
        return self._random.choice(ANSWERS)

    def _word(self, answer: str) -> int:
        """Return the length of a leading part that ends where a word does."""
        ends = [
            n
            for n in range(2, len(answer) - 1)
            if answer[n - 1].isalnum() and not answer[n].isalnum() and answer[n] != "_"
        ]
        return self._random.choice(ends)

    def _name(self) -> str:
        return f"value_{self._lines - 1} = "

    def _line(self) -> str:
        start = self.editor.text.index(self._name())
        return self.editor.text[start : self.editor.text.index("\n", start)]

    def _go_behind(self, name: str, offset: int) -> None:
        self.editor.cursor = self.editor.text.index(name) + len(name) + offset
        self.editor.wait(0.5)

    def _edit(self, *changes: Replacement) -> None:
        self.editor.apply(*changes)

    def _edit_elsewhere(self) -> None:
        self.editor.cursor = self._place_elsewhere()
        self.editor.type("# seen")

    def _place_elsewhere(self) -> int:
        return self.editor.text.index("# top") + len("# top")

    def _type_with_pairs(self, text: str) -> None:
        pairs = {"(": ")", "[": "]"}
        closing = ""
        for key in text:
            self.editor.wait(0.12)
            if closing and key == closing[0]:
                self.editor.cursor += 1
                closing = closing[1:]
            elif key in pairs:
                here = self.editor.cursor
                self.editor.apply(Replacement(here, here, key + pairs[key]), cursor=here + 1)
                closing = pairs[key] + closing
            else:
                self.editor.insert(key)

    def _soon(self, what: Callable[[], None], least: float, most: float) -> None:
        self._later.append((self.editor.clock.now + self._random.uniform(least, most), what))

    def _run_due(self) -> None:
        due = [what for at, what in self._later if at <= self.editor.clock.now]
        self._later = [(at, what) for at, what in self._later if at > self.editor.clock.now]
        for what in due:
            what()
