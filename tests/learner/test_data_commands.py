"""`nightschool data` and `nightschool stats`, run against a real ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from adapter_files import add_adapter
from click.testing import CliRunner, Result
from fact_builders import NOON, event, offered, session, settlement

from learner.cli import data
from learner.facts import EventKind, KnownBy
from learner.ledger import Ledger
from learner.ledger_file import connect
from learner.registry import Registry
from learner.stats_cli import stats
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    import click

    Words = tuple[click.Command, *tuple[str, ...]]


@pytest.fixture
def home(ledger_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(ledger_path.parent))
    return ledger_path


@pytest.fixture
def filled(home: Path) -> Path:
    ledger = Ledger.open(home, on_trouble=pytest.fail, clock=lambda: NOON)
    ledger.record(session())
    ledger.record(offered())
    ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT))
    ledger.record(settlement("add(1, 3)", distance=1, kept=8))
    ledger.record(offered("o2", offered_at=NOON + 5, uri="file:///project/b.py", text="[bold]x"))
    ledger.record(offered("silent", offered_at=NOON + 6, declined="empty", text=""))
    assert ledger.close()
    return home


def run(command: click.Command, *words: str, answer: str | None = None) -> Result:
    result = CliRunner().invoke(command, words, input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_show_lists_the_newest_offers_first_with_their_labels(filled: Path) -> None:
    result = run(data, "show")
    rows = result.stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["silent", "o2", "o1"]
    assert "not offered: empty" in rows[0]
    assert "a.py:3" in rows[2] and "edited" in rows[2] and "explicit" in rows[2] and "add(1, 3)" in rows[2]
    # What was recorded is no markup of the table.
    assert "[bold]x" in rows[1]


def test_show_limits_what_it_lists(filled: Path) -> None:
    offers = json.loads(run(data, "show", "--limit", "1", "--json").stdout)
    assert [offer["offer_id"] for offer in offers] == ["silent"]


def test_show_of_one_offer_has_all_that_is_stored(filled: Path) -> None:
    text = run(data, "show", "o1").stdout
    for part in ("def add(a, b):", "result = ⟨cursor⟩\nprint(result)", "context from b.py", "x = 1",
                 "log-probability -0.35", "edited (explicit)", "after 10s: add(1, 3)",
                 "f" * 64):  # fmt: skip
        assert part in text
    (offer,) = json.loads(run(data, "show", "o1", "--json").stdout)
    assert offer["prompt"]["prefix"] == "def add(a, b):\n    return a + b\nresult = "
    assert offer["label"] == "edited"


def test_export_writes_one_line_of_json_for_each_offer_oldest_first(filled: Path, tmp_path: Path) -> None:
    lines = run(data, "export").stdout.splitlines()
    assert [json.loads(line)["offer_id"] for line in lines] == ["o1", "o2", "silent"]
    assert json.loads(lines[0])["settlements"][0]["text"] == "add(1, 3)"
    assert run(data, "export", "-o", str(tmp_path / "out.jsonl")).stdout == ""
    assert (tmp_path / "out.jsonl").read_text().splitlines() == lines


def test_size_counts_rows_and_bytes(filled: Path) -> None:
    found = json.loads(run(data, "size", "--json").stdout)
    assert (found["offers"], found["events"], found["settlements"]) == (3, 1, 1)
    assert found["path"] == str(filled)
    assert 0 < found["bytes"] <= found["bytes_on_disk"]
    assert found["bytes_per_offer"] == round(found["bytes"] / 3)
    assert f"{found['bytes']}" in run(data, "size").stdout


def test_forget_asks_first(filled: Path) -> None:
    refused = run(data, "forget", "--file", "/project/b.py", answer="n\n")
    assert refused.exit_code == 1 and "Forget 1 offers for good?" in refused.stderr
    assert len(run(data, "export").stdout.splitlines()) == 3
    agreed = run(data, "forget", "--file", "/project/b.py", answer="y\n")
    assert agreed.exit_code == 0 and "forgot 1 offers" in agreed.stdout
    assert len(run(data, "export").stdout.splitlines()) == 2


def test_forget_names_the_adapters_that_learned_from_it(filled: Path) -> None:
    registry = Registry(Home(filled.parent))
    one = add_adapter(registry, 1, offers=["o2", "x"])
    add_adapter(registry, 2, offers=["o1"])
    answered = run(data, "forget", "--file", "/project/b.py", "--yes", "--json")
    assert json.loads(answered.stdout) == {"forgotten": 1, "adapters": [one.id]}
    said = run(data, "forget", "--all", "--yes").stdout
    assert "20261202-0300-0002" in said and one.id not in said


def test_forget_since_takes_a_date_or_a_duration(filled: Path) -> None:
    assert json.loads(run(data, "forget", "--since", "2001-01-01", "--yes", "--json").stdout) == {
        "forgotten": 3
    }
    assert run(data, "forget", "--since", "2h", "--yes").exit_code == 3
    wrong = run(data, "forget", "--since", "yesterday", "--yes")
    assert wrong.exit_code == 2 and "'yesterday' is no time; write 2026-11-21" in wrong.stderr


@pytest.mark.parametrize("words", [(), ("--all", "--matching", "x")])
def test_forget_without_a_clear_choice_is_wrong_usage(filled: Path, words: tuple[str, ...]) -> None:
    result = run(data, "forget", *words)
    assert result.exit_code == 2 and "say what to forget" in result.stderr


def test_forget_all_removes_damaged_ledgers_too(filled: Path) -> None:
    aside = filled.with_name("ledger.db.corrupt-1")
    aside.write_bytes(b"add(1, 2)")
    part = run(data, "forget", "--file", "/project/a.py", "--yes")
    assert "damaged ledgers are not searched" in part.stderr and aside.exists()
    assert run(data, "forget", "--all", "--yes").exit_code == 0
    assert not aside.exists()
    assert run(data, "show").exit_code == 3


def test_stats_prints_a_table_and_json(filled: Path) -> None:
    result = run(stats)
    assert result.stdout.splitlines()[1].split()[:4] == ["all", "2", "1", "1"]
    found = json.loads(run(stats, "--by", "language", "--json").stdout)
    assert found["by"] == "language"
    assert [(g["group"], g["offers"], g["accepted"]) for g in found["groups"]] == [("python", 2, 1)]


READING = [(data, "show"), (data, "show", "o1"), (data, "export"), (data, "size"), (stats,)]


@pytest.mark.parametrize("words", [*READING, (data, "forget", "--all", "--yes")])
def test_without_a_ledger_there_is_nothing_to_do(home: Path, words: Words) -> None:
    result = run(*words)
    assert result.exit_code == 3
    assert "no ledger at" in result.stderr and "Traceback" not in result.stderr
    assert not home.exists()


@pytest.mark.parametrize("words", READING)
def test_a_damaged_ledger_sends_to_the_doctor(home: Path, words: Words) -> None:
    home.parent.mkdir()
    home.write_bytes(b"no database" * 1000)
    result = run(*words)
    assert result.exit_code == 1 and "nightschool doctor" in result.stderr
    assert home.read_bytes() == b"no database" * 1000


@pytest.mark.parametrize("words", READING)
def test_a_newer_ledger_is_named(filled: Path, words: Words) -> None:
    connection = connect(filled)
    connection.execute("INSERT INTO _sqlite_migrations VALUES (9, 'ledger', 'm999_future', '')")
    connection.close()
    result = run(*words)
    assert result.exit_code == 1 and "newer Nightschool" in result.stderr


def test_an_unknown_offer_is_named(filled: Path) -> None:
    result = run(data, "show", "nobody")
    assert result.exit_code == 3 and "no offer nobody is stored" in result.stderr
