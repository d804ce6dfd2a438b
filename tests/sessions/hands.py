"""A simulated developer's hands: a line opened, an offer asked for, taken, typed along with, left.

Each scene works on a line of its own, so that its text is known at each moment while everything around it
moves.
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


class Hands:
    def __init__(self, editor: Editor, seed: int, without: Sequence[str] = ()) -> None:
        self.editor = editor
        self._without = without
        """Scenes that are not played."""
        self.truths: list[Truth] = []
        self._random = random.Random(seed)
        self._lines = 0
        self._scene = ""
        self._later: list[tuple[float, Callable[[], None]]] = []

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
