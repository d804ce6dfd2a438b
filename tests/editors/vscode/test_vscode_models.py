"""VS Code with the model that most people have; the picture for the README is taken here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.editors.vscode.programs import real

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench

# A browser, a workbench and a language model on two cores.
pytestmark = pytest.mark.timeout(300)

PICTURES = Path(os.environ["NIGHTSCHOOL_PICTURES"]) if "NIGHTSCHOOL_PICTURES" in os.environ else None
SQUARES = "def squares(numbers):\n    return [number * number for number in numbers]\n\n\n"
LOADED_S = 120.0


def test_tab_takes_all_of_it(
    browser: Browser, new_workbench: NewWorkbench, qwen: Path, tmp_path: Path
) -> None:
    workbench = new_workbench()
    workbench.change_settings(server__command=real(workbench.home, qwen))
    with workbench.opened(browser) as editor:
        editor.wait_for_status("ready", LOADED_S)
        editor.open("tab.py", f"{SQUARES}def cubes(numbers):\n")
        editor.at_end()
        editor.type("    return ")
        editor.ghost()
        picture = (PICTURES or tmp_path) / "vscode.png"
        editor.page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1000, "height": 330})
        ghost = editor.ghost()
        editor.press("Tab")
        saved = editor.save("tab.py")
        row = workbench.rows.labelled("accepted", "tab.py")
    assert saved.rstrip("\n").endswith(ghost)
    assert row["offered_text"].endswith(ghost)
    assert row["known_by"] == "explicit"
    assert picture.stat().st_size > 10_000
