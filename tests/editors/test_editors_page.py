"""docs/editors.md names a test for each action: the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs/editors.md"


@pytest.mark.parametrize(("column", "editor"), [(2, "vscode"), (3, "neovim")])
def test_each_named_test_is_there(column: int, editor: str) -> None:
    table = PAGE.read_text().partition("## What is tested in the real editors")[2]
    cells = [line.split("|")[column] for line in table.splitlines() if line.startswith("| ")]
    named = {name for cell in cells for name in re.findall(r"`(test_\w+)`", cell)}
    sources = "\n".join(path.read_text() for path in (TESTS / editor).glob("test_*.py"))
    assert len(named) > 20
    assert not [name for name in named if f"def {name}(" not in sources]
