"""The whole promise in VS Code: an offer is corrected, a night is asked for, and the like place is right.

The night is a real one, of a small model (``tests/editors/short_school.py``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.editors.short_school import CORRECTED, LIKE, Place, record_days, short_school

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench
    from tests.editors.vscode.editor import Editor

LOADED_S = 120.0
NIGHT_S = 600.0
"""On two cores with nothing else to do it takes 60."""


def ghost_at(editor: Editor, name: str, place: Place) -> str:
    """Open a file that ends where this begins, type the last blank, and return the ghost text."""
    editor.open(name, place.before.removesuffix(" "))
    editor.at_end()
    editor.type(" ")
    return editor.ghost()


@pytest.mark.timeout(900)
def test_a_corrected_offer_and_a_night_make_the_like_place_right(
    browser: Browser, new_workbench: NewWorkbench, smollm: Path
) -> None:
    workbench = new_workbench()
    (workbench.home / "models").symlink_to(smollm.parent, target_is_directory=True)
    record_days(workbench.home)
    workbench.change_settings(server__command=short_school(workbench.home), multiLine=False)
    with workbench.opened(browser) as editor:
        editor.wait_for_status("ready: ", LOADED_S)
        offered = ghost_at(editor, "corrected.py", CORRECTED)
        assert not offered.startswith(CORRECTED.begun)
        editor.press("Tab")
        assert editor.save("corrected.py") == CORRECTED.before + offered
        editor.press(*["Shift+ArrowLeft"] * len(offered))
        editor.type(CORRECTED.wanted)
        assert editor.save("corrected.py") == CORRECTED.before + CORRECTED.wanted
        row = workbench.rows.labelled("edited", "corrected.py")
        assert (row["offered_text"], row["settled_text"]) == (offered, CORRECTED.wanted)
        assert (row["known_by"], row["adapter"]) == ("explicit", None)

        editor.menu("Train now")
        editor.is_told("passed its exam and serves now", NIGHT_S)
        editor.wait_for_status(", adapter ")
        adapter = re.search(r", adapter ([^,\s]+)", editor.status)
        assert ghost_at(editor, "like.py", LIKE).startswith(LIKE.begun)
        editor.press("Tab")
        assert editor.save("like.py").startswith(LIKE.before + LIKE.begun)
        taken = workbench.rows.labelled("accepted", "like.py")
        assert adapter is not None
        assert (taken["adapter"], taken["known_by"]) == (adapter[1], "explicit")
