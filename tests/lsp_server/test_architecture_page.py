"""The page that says where things are names every module, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("lsp_server", "learner", "models")


def test_the_page_names_every_module_once():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+/\w+\.py)` \|", page, re.MULTILINE)
    modules = [
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).glob("*.py")
        if path.name != "__init__.py"
    ]

    assert sorted(named) == sorted(modules)
