"""A workspace of folders that nobody trusts: each is completed, and none chooses what runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.editors.vscode.programs import answers_at, messages, scripted
from tests.editors.vscode.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench
    from tests.editors.vscode.editor import Editor

# A browser and a workbench on two cores.
pytestmark = pytest.mark.timeout(300)

RESTRICTED = {
    "security.workspace.trust.enabled": True,
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
}
EVIL = {
    "nightschool.server.command": ["touch", "was-run"],
    "nightschool.model": "evil.gguf",
    "nightschool.threads": 200,
    "nightschool.maxTokens": 7,
}


@dataclass
class Told:
    """What a server knows of its window in the end: VS Code may start it before the folders are known."""

    folders: set[str] = field(default_factory=set)
    settings: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, message: dict[str, Any]) -> None:
        params: Any = message.get("params")
        match message.get("method"):
            case "initialize":
                self.folders = {folder["name"] for folder in params["workspaceFolders"] or ()}
                self.settings.append(params["initializationOptions"])
            case "workspace/didChangeWorkspaceFolders":
                self.folders -= {folder["name"] for folder in params["event"]["removed"]}
                self.folders |= {folder["name"] for folder in params["event"]["added"]}
            case "workspace/didChangeConfiguration":
                self.settings.append(params["settings"])


def told(home: Path) -> Told:
    found = Told()
    for message in messages(home):
        found.hear(message)
    return found


def knows(home: Path, *names: str) -> None:
    """Wait until the server knows these folders."""
    try:
        until(lambda: told(home).folders == set(names), f"the folders {names}")
    except AssertionError as error:
        said = [message.get("method") for message in messages(home) if message["from"] == "client"]
        raise AssertionError(f"{error}: it knows {told(home).folders} after {said}") from None


def describe(path: Path, *names: str) -> None:
    """Write the workspace's description, with settings of which not all are a workspace's to choose."""
    folders = [{"path": str(path.parent / name)} for name in names]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps({"folders": folders, "settings": EVIL}))
    unfinished.replace(path)


def shows_folders(editor: Editor) -> None:
    """Wait until the explorer shows the folders, in a window that has them.

    VS Code in a browser may lose them at its start: it takes the file's settings, and none of its folders if
    the connection to where the file is comes up just then. Whoever sees an empty explorer loads anew.
    """
    page = editor.page
    full = page.locator(".explorer-folders-view")
    empty = page.get_by_text("You have not yet added a folder to the workspace")

    def is_full() -> bool:
        full.or_(empty).first.wait_for(state="attached")
        if full.count():
            return True
        page.reload()
        return False

    until(is_full, "the folders in the explorer")


def test_untrusted_folders_share_a_server_that_they_do_not_choose(
    browser: Browser, new_workbench: NewWorkbench
) -> None:
    workbench = new_workbench(**RESTRICTED)
    home = workbench.home
    workbench.change_settings(server__command=scripted(home, {"before = ": "1 + 1"}))
    for name in ("one", "two", "three"):
        (workbench.project / name).mkdir()
        (workbench.project / name / ".gitignore").write_text("made.py\n")
    described = workbench.project / "all.code-workspace"
    describe(described, "one", "two")
    with workbench.opened(browser, f"workspace={described}") as editor:
        shows_folders(editor)
        editor.wait_for_status("ready: ")
        editor.page.locator(".statusbar-item", has_text="Restricted Mode").wait_for()
        knows(home, "one", "two")
        until(lambda: told(home).settings[-1]["max_tokens"] == 7, "what is the workspace's to choose")
        editor.completes("one/first.py", "before = ", "1 + 1")
        editor.completes("two/second.py", "before = ", "1 + 1")
        describe(described, "one", "two", "three")
        knows(home, "one", "two", "three")
        editor.completes("three/third.py", "before = ", "1 + 1")
        # It is as good as those before: what it ignores is left alone.
        editor.open("three/made.py", "import os\n")
        editor.at_end()
        editor.type("before = ")
        assert until(lambda: answers_at(home, "made.py", len("before = ")), "an answer") == [[]]
        assert len(editor.servers()) == 1
        assert editor.messages() == []
    assert all({"model", "threads"}.isdisjoint(given) for given in told(home).settings)
    until(lambda: not editor.servers(), "the server's end with its window")
    assert not list(workbench.folder.rglob("was-run"))
