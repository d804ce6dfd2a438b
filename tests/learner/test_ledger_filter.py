"""The ledger's filter may change while it records: the editor names its folders after the ledger is open."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fact_builders import offered

from learner.ledger import Ledger
from learner.ledger_file import connect_to_read
from learner.privacy import PrivacyFilter

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_filter_decides_about_what_is_recorded_from_then_on(tmp_path: Path) -> None:
    troubles: list[str] = []
    ledger = Ledger.open(tmp_path / "ledger.db", on_trouble=troubles.append)
    uri = (tmp_path / "generated.py").as_uri()
    ledger.record(offered("before", uri=uri))
    assert ledger.flush()
    ledger.use_privacy(PrivacyFilter([tmp_path], ["generated.py"]))
    ledger.record(offered("after", uri=uri))
    ledger.record(offered("other", uri=(tmp_path / "own.py").as_uri()))
    assert ledger.close()
    with closing(connect_to_read(tmp_path / "ledger.db")) as connection:
        found = connection.execute("SELECT offer_id FROM offers ORDER BY id").fetchall()
    assert [tuple(row) for row in found] == [("before",), ("other",)]
    assert not troubles
