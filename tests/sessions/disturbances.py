"""Scenes in which something else than the developer's keys changes the text: pastes, formatters, agents."""

from __future__ import annotations

from tests.sessions.editor import Replacement
from tests.sessions.hands import PASTES, Hands


class Disturbances(Hands):
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
