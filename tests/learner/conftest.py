"""A ledger that must have no trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fact_builders import NOON

from learner.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.db"


@pytest.fixture
def ledger(ledger_path: Path) -> Iterator[Ledger]:
    troubles: list[str] = []
    opened = Ledger.open(ledger_path, on_trouble=troubles.append, clock=lambda: NOON)
    yield opened
    assert opened.close()
    assert troubles == []
