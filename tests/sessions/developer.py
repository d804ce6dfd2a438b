"""A simulated developer: scenes at an editor, each of which knows what became of its offer.

The truth is what the scene did, written down as it did it; nothing is asked of the code under test.
"""

from __future__ import annotations

from tests.sessions.disturbances import Disturbances
from tests.sessions.editor import Replacement
from tests.sessions.hands import ANSWERS, BLOCKS, OTHERS


class Developer(Disturbances):
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
