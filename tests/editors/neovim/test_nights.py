"""Nights asked for in Neovim: how far, what became of it, and back again; the night itself is a script."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from learner.registry import Registry
from models.checksum import sha256_of
from models.home import Home
from tests.editors.neovim.driver import Outcome
from tests.editors.vscode.programs import scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.editors.neovim.conftest import OpenEditor
    from tests.editors.neovim.driver import Editor

ADAPTER = "20261121-0300-3f2a"
ANSWERS = {"before = ": "1", "after = ": "1", "later = ": "1"}
LEARNED = {ADAPTER: {"before = ": "learned()", "after = ": "learned()", "later = ": "learned()"}}
EXAM = {
    "serving": {"outcomes": {"exact_match": 0.31}},
    "candidate": {"outcomes": {"exact_match": 0.342}},
}
PROMOTED = {"verdict": "promoted", "adapter": ADAPTER, "reasons": [], "exam": EXAM}
REFUSED = {"verdict": "refused", "adapter": ADAPTER, "reasons": ["forgets", "leaks"], "exam": {}}
PASSED = (
    f"adapter {ADAPTER} passed its exam and serves now: exact match on your newest outcomes 31.0 % → 34.2 %"
)


class School:
    """A home whose nights end as the test says, with one adapter to promote."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        self.home.root.mkdir(mode=0o700)
        self._folder = directory / "night"
        self._folder.mkdir()
        words = ["-m", "tests.editors.vscode.school_night", str(self.home.root), str(self._folder)]
        self.command = scripted(self.home.root, ANSWERS, LEARNED, [sys.executable, *words])
        base = sha256_of(self.home.root / "answers.json")
        unfinished = directory / "unfinished.gguf"
        unfinished.write_bytes(b"GGUF")
        self.registry = Registry(self.home)
        self.registry.add(unfinished, ADAPTER, {"base": base, "created": 1.0})

    @property
    def is_at_work(self) -> bool:
        return (self._folder / "pid").exists()

    @property
    def night(self) -> psutil.Process:
        return psutil.Process(int((self._folder / "pid").read_text()))

    def end(self, verdict: dict[str, Any]) -> None:
        part = self._folder / "part"
        part.write_text(json.dumps(verdict))
        part.rename(self._folder / "verdict")

    def close(self) -> None:
        if self.is_at_work and not (self._folder / "verdict").exists():
            self.night.kill()


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    school = School(tmp_path)
    yield school
    school.close()


def statusline(editor: Editor) -> str:
    return editor.lua("return require('nightschool').statusline()")


def adapter(editor: Editor) -> str | None:
    return editor.lua("return require('nightschool').status().adapter")


def train(editor: Editor, school: School) -> None:
    editor.press("<Esc>")
    editor.command("Nightschool train")
    shown = "Nightschool trains 30 % (training 10/20, loss 0.900, 2 min left)"
    editor.until(lambda: statusline(editor) == shown and school.is_at_work, lambda: statusline(editor))


def test_what_a_night_has_learned_is_offered_and_can_be_rolled_back(
    version: str, open_editor: OpenEditor, school: School
):
    editor = open_editor(version, cmd=school.command)
    editor.open("before.py", "before = \n")
    editor.sees("1")
    train(editor, school)
    editor.press("o")
    editor.type("free")
    editor.has("before = \nfree\n")
    school.end(PROMOTED)
    editor.is_told(PASSED)
    editor.until(lambda: adapter(editor) == ADAPTER and "trains" not in statusline(editor))
    editor.open("after.py", "after = \n")
    editor.sees("learned()")
    editor.press("<Tab>")
    editor.has("after = learned()\n")
    editor.outcome_is("after.py", Outcome("learned()", "accepted", "explicit", "learned()"))
    assert editor.adapters("after.py") == [ADAPTER]

    editor.open("before.py", "before = \n")
    editor.command("Nightschool rollback")
    editor.is_told(f"the bare base model serves again, instead of the adapter {ADAPTER}")
    editor.until(lambda: adapter(editor) is None)
    editor.open("later.py", "later = \n")
    editor.sees("1")
    editor.press("<Tab>")
    editor.outcome_is("later.py", Outcome("1", "accepted", "explicit", "1"))
    assert editor.adapters("later.py") == [None]
    assert len(editor.notified) == 2


def test_a_corrected_offer_and_a_night_make_the_like_place_right(
    version: str, open_editor: OpenEditor, school: School
):
    """The editor's part of the promise: what the night makes of the correction is the script's to say."""
    editor = open_editor(version, cmd=school.command)
    editor.open("before.py", "before = \n")
    editor.sees("1")
    editor.press("<Tab>", "<BS>")
    editor.type("learned()")
    editor.has("before = learned()\n")
    editor.press("<Esc>")
    editor.command("silent write | bwipeout")
    corrected = Outcome("1", "edited", "explicit", "learned()")
    editor.until(lambda: corrected in editor.outcomes("before.py"), lambda: editor.outcomes("before.py"))
    editor.open("like.py", "after = \n")
    editor.sees("1")
    train(editor, school)
    school.end(PROMOTED)
    editor.is_told(PASSED)
    editor.until(lambda: adapter(editor) == ADAPTER)
    editor.press("A")
    editor.sees("learned()")
    editor.press("<Tab>")
    editor.has("after = learned()\n")
    editor.press("<Esc>")
    editor.command("silent write | bwipeout")
    taken = Outcome("learned()", "accepted", "explicit", "learned()")
    editor.until(lambda: taken in editor.outcomes("like.py"), lambda: editor.outcomes("like.py"))
    assert (editor.project / "like.py").read_text() == "after = learned()\n"


def test_an_adapter_that_is_refused_does_not_serve(open_editor: OpenEditor, school: School):
    editor = open_editor(cmd=school.command)
    editor.open("before.py", "before = \n")
    train(editor, school)
    school.end(REFUSED)
    editor.is_told("did not pass its exam, what served serves on: forgets (and 1 more)")
    editor.open("after.py", "after = \n")
    editor.sees("1")
    assert adapter(editor) is None


def test_a_rollback_of_nothing_says_so_once(open_editor: OpenEditor, school: School):
    editor = open_editor(cmd=school.command)
    editor.open("before.py", "before = \n")
    editor.sees("1")
    editor.command("Nightschool rollback")
    editor.until(lambda: editor.notified != [])
    editor.press("<Tab>")
    editor.has("before = 1\n")
    assert len(editor.notified) == 1


def test_a_rollback_without_a_server_is_done_by_the_command(open_editor: OpenEditor, school: School):
    editor = open_editor(cmd=school.command)
    editor.command("Nightschool rollback")
    editor.is_told("the model in use is not here (")


def test_an_editor_closed_during_training_leaves_the_night_to_itself(open_editor: OpenEditor, school: School):
    editor = open_editor(cmd=school.command)
    editor.open("before.py", "before = \n")
    train(editor, school)
    night = school.night
    editor.quit(leaving=night)
    assert night.is_running()
    school.end(PROMOTED)
    psutil.wait_procs([night], 10)
    assert not night.is_running()
    again = open_editor(cmd=school.command)
    again.open("after.py", "after = \n")
    again.sees("learned()")
    assert again.notified == []


def test_a_server_killed_during_training_leaves_no_night_on_the_status_line(
    open_editor: OpenEditor, school: School
):
    editor = open_editor(cmd=school.command)
    editor.open("before.py", "before = \n")
    train(editor, school)
    (server,) = (each for each in editor.servers if each.pid != school.night.pid)
    server.kill()
    editor.is_told("the server ended (signal 9) and is started again")
    editor.until(lambda: "trains" not in statusline(editor))
    school.end(PROMOTED)
    editor.until(lambda: adapter(editor) == ADAPTER)
    editor.open("after.py", "after = \n")
    editor.sees("learned()")
    assert len(editor.notified) == 1
