"""`nightschool report` and the lines that `nightschool stats` adds, as they are run."""

from __future__ import annotations

import json
import stat
import webbrowser
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from fact_builders import NOON, offered
from seeded import replay_result

from learner.ledger import Ledger
from learner.ledger_file import connect
from learner.report.cli import report
from learner.stats_cli import sparkline, stats

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from models.home import Home


@pytest.fixture
def root(ledger_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(ledger_path.parent))
    return ledger_path.parent


def run(command: click.Command, *words: str) -> Result:
    result = CliRunner().invoke(command, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_the_page_is_its_owners_alone(root: Path) -> None:
    result = run(report)
    page = root / "report.html"
    assert result.exit_code == 0 and result.stdout == f"{page}\n"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert page.read_text("utf-8").startswith("<!doctype html>")
    # A report is no reason to begin a ledger.
    assert [path.name for path in root.iterdir()] == ["report.html"]


def test_an_older_page_is_replaced_whole_and_made_private(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "elsewhere.html"
    page.write_text("old")
    page.chmod(0o644)
    assert run(report, "--output", str(page)).exit_code == 0
    assert stat.S_IMODE(page.stat().st_mode) == 0o600 and "Nightschool" in page.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere.html"]


def test_a_place_that_is_no_file_is_refused(root: Path, tmp_path: Path) -> None:
    refused = run(report, "--output", "/dev/null")
    assert refused.exit_code == 1 and "/dev/null is no regular file" in refused.stderr
    assert run(report, "--output", str(tmp_path)).exit_code == 2


def test_json_has_the_same_figures(
    worked_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(worked_home.root))
    found = json.loads(run(report, "--json", "--output", str(tmp_path / "r.html")).stdout)
    assert found["page"] == str(tmp_path / "r.html")
    assert [night["verdict"] for night in found["nights"]] == ["promoted"] * 3 + ["refused"]
    assert found["all"]["kept_chars"] == sum(day["kept_chars"] for day in found["days"])
    assert {row["arm"] for row in found["slope"]["snapshots"]} == set(replay_result()["arms"])


def test_open_shows_it_or_says_what_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url)) or len(opened) == 1)
    assert run(report, "--open").exit_code == 0
    assert opened == [(root / "report.html").as_uri()]
    failed = run(report, "--open")
    assert failed.exit_code == 1 and f"open {root / 'report.html'} yourself" in failed.stderr


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"slope": [{"arm": "both"}]}', b"\xff"])
def test_a_damaged_result_is_named_and_the_rest_is_reported(
    worked_home: Home, root: Path, content: bytes
) -> None:
    root.mkdir(mode=0o700)
    (root / "ledger.db").write_bytes(worked_home.ledger.read_bytes())
    (root / "replay.json").write_bytes(content)
    result = run(report)
    assert result.exit_code == 0 and "replay.json is no result of a replay" in result.stderr
    page = (root / "report.html").read_text("utf-8")
    assert "replay.json is no result" in page and "What you kept, day by day" in page
    assert "replay.json is no result of a replay" in run(stats).stderr


def test_a_damaged_memory_and_adapter_are_named(worked_home: Home, root: Path) -> None:
    root.mkdir(mode=0o700)
    (root / "ledger.db").write_bytes(worked_home.ledger.read_bytes())
    (root / "memory.db").write_bytes(b"no database" * 999)
    adapter = root / "adapters" / "20261201-0300-0001"
    adapter.mkdir(parents=True)
    (adapter / "report.json").write_text("{")
    result = run(report)
    assert result.exit_code == 0
    assert "memory.db: file is not a database" in result.stderr and "report.json is damaged" in result.stderr


def test_a_damaged_ledger_sends_to_the_doctor(root: Path) -> None:
    root.mkdir()
    (root / "ledger.db").write_bytes(b"no database" * 999)
    result = run(report)
    assert result.exit_code == 1 and "nightschool doctor" in result.stderr
    assert not (root / "report.html").exists()


def test_an_older_ledger_is_brought_up_to_date_first(root: Path) -> None:
    path = root / "ledger.db"
    ledger = Ledger.open(path, on_trouble=pytest.fail, clock=lambda: NOON)
    ledger.record(offered())
    assert ledger.close()
    connection = connect(path)
    for view in ("outcomes", "daily"):
        connection.execute(f"DROP VIEW {view}")
    for table in ("verdicts", "totals", "latencies"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    assert run(report).exit_code == 0
    assert "How long offers took" in (root / "report.html").read_text("utf-8")


def test_stats_tells_days_nights_and_slope(worked_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(worked_home.root))
    text = run(stats).stdout
    assert "kept characters per day  " in text and text.count("night 2026-") == 3
    assert "memory and weights: 246.0 (229.0 to 263.0) after 0 → 308.0 (291.0 to 325.0) after 1,000" in text
    found = json.loads(run(stats, "--json").stdout)
    assert {"by", "groups", "kept_chars_by_day", "gate", "nights", "slope"} == set(found)
    assert len(found["kept_chars_by_day"]) == 14
    # One line for each of something else is a table and nothing more.
    assert "night 2026-" not in run(stats, "--by", "adapter").stdout


def test_stats_without_nights_names_the_commands(root: Path) -> None:
    ledger = Ledger.open(root / "ledger.db", on_trouble=pytest.fail, clock=lambda: NOON)
    ledger.record(offered())
    assert ledger.close()
    text = run(stats).stdout
    assert "run: nightschool train" in text and "run: nightschool replay PATH" in text


def test_a_sparkline_begins_at_zero() -> None:
    assert sparkline([0, 50, 100]) == "▁▅█" and sparkline([0]) == "▁" and sparkline([90, 100]) == "▇█"
