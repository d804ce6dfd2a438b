"""A workspace of two folders that nobody trusts: both are completed, and neither chooses what runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.editors.vscode.programs import messages, scripted
from tests.editors.vscode.workbench import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench

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


def test_two_untrusted_folders_share_a_server_that_they_do_not_choose(
    browser: Browser, new_workbench: NewWorkbench
) -> None:
    workbench = new_workbench(**RESTRICTED)
    workbench.change_settings(server__command=scripted(workbench.home, {"before = ": "1 + 1"}))
    folders = [workbench.project / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    described = workbench.project / "both.code-workspace"
    described.write_text(
        json.dumps({"folders": [{"path": str(folder)} for folder in folders], "settings": EVIL})
    )
    with workbench.opened(browser, f"workspace={described}") as editor:
        editor.wait_for_status("ready")
        editor.page.locator(".statusbar-item", has_text="Restricted Mode").wait_for()
        for name in ("one/first.py", "two/second.py"):
            editor.open(name, "import os\n")
            editor.at_end()
            editor.type("before = ")
            assert editor.ghost() == "1 + 1"
            editor.press("Tab")
            assert editor.save(name).rstrip("\n").endswith("before = 1 + 1")
            workbench.rows.labelled("accepted", name)
        assert len(editor.servers()) == 1
        assert editor.messages() == []
    (asked,) = [each for each in messages(workbench.home) if each.get("method") == "initialize"]
    given = asked["params"]["initializationOptions"]
    assert {"model", "threads"}.isdisjoint(given)
    assert given["max_tokens"] == 7, "what does no harm is the workspace's to choose"
    assert {each["name"] for each in asked["params"]["workspaceFolders"]} == {"one", "two"}
    until(lambda: not editor.servers(), "the server's end with its window")
    assert not list(workbench.folder.rglob("was-run"))
