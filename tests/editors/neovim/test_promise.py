"""The whole promise in Neovim: an offer is corrected, a night is asked for, and the like place is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.driver import Outcome
from tests.editors.short_school import CORRECTED, LIKE, record_days, short_school

if TYPE_CHECKING:
    from pathlib import Path

    from tests.editors.neovim.conftest import OpenEditor
    from tests.editors.neovim.driver import Editor

SETTINGS = {"debounce": 0, "gate": 0, "memory": False, "micro_nights": False, "multi_line": False}
"""It is the weights that are to learn: not the gate, which would hide what was never taken, nor memory."""
READY_S = 60.0
NIGHT_S = 600.0
"""On two cores with nothing else to do it takes 60."""


def ghost_at(editor: Editor, file: str, before: str) -> str:
    """Open a file that ends with ``before``, the cursor behind it, and return the ghost text there."""
    editor.open(file, before + "\n")
    editor.until(lambda: editor.ghost is not None, lambda: editor.notified, patience_s=READY_S)
    return editor.ghost or ""


@pytest.mark.timeout(900)
def test_a_corrected_offer_and_a_night_make_the_like_place_right(
    home: Path, smollm: Path, open_editor: OpenEditor
):
    record_days(home)
    editor = open_editor(cmd=short_school(home), settings=SETTINGS)
    offered = ghost_at(editor, "corrected.py", CORRECTED.before)
    assert not offered.startswith(CORRECTED.begun)
    editor.press("<Tab>")
    editor.has(CORRECTED.before + offered)
    for _ in offered:
        if editor.text != f"{CORRECTED.before}\n":  # one key may take away more than a blank
            editor.press("<BS>")
    editor.type(CORRECTED.wanted)
    editor.has(f"{CORRECTED.before}{CORRECTED.wanted}\n")
    editor.press("<Esc>")
    editor.command("silent write | bwipeout!")
    corrected = Outcome(offered, "edited", "explicit", CORRECTED.wanted)
    editor.until(
        lambda: corrected in editor.outcomes("corrected.py"), lambda: editor.outcomes("corrected.py")
    )

    editor.command("Nightschool train")
    editor.until(
        lambda: any("passed its exam and serves now" in each for each in editor.notified),
        lambda: (editor.notified, editor.lua("return require('nightschool').statusline()")),
        patience_s=NIGHT_S,
    )
    editor.until(lambda: editor.lua("return require('nightschool').status().adapter") is not None)
    assert ghost_at(editor, "like.py", LIKE.before).startswith(LIKE.begun)
    editor.press("<Tab>")
    editor.has(LIKE.before + LIKE.begun)
    editor.until(lambda: [each.label for each in editor.outcomes("like.py")] == ["accepted"])
    assert editor.adapters("like.py") == [editor.lua("return require('nightschool').status().adapter")]
