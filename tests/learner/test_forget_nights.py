"""What is forgotten leaves unfinished nights too, and adapters that learned from its files are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from adapter_files import add_adapter
from click.testing import CliRunner
from fact_builders import NOON, offered, session
from filelock import FileLock

from learner.cli import data
from learner.ledger import Ledger
from learner.night_lock import NightLock
from learner.registry import Registry
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with an offer, and two nights that were broken off."""
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path / "home"))
    home = Home(tmp_path / "home")
    ledger = Ledger.open(home.ledger, on_trouble=pytest.fail, clock=lambda: NOON)
    ledger.record(session())
    ledger.record(offered(uri="file:///project/a.py"))
    assert ledger.close()
    for name in ("tonight", "micro"):
        examples = home.night / name / "training" / "examples.jsonl"
        examples.parent.mkdir(parents=True)
        examples.write_text("what was written")
        (home.night / name / "plan.json").write_text("{}")
    return home


def forget(*words: str) -> tuple[dict[str, object], str]:
    result = CliRunner().invoke(data, ("forget", *words, "--yes", "--json"))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def left(home: Home) -> list[str]:
    return sorted(path.name for path in home.night.rglob("*") if path.is_file() and path.stat().st_size)


def test_unfinished_nights_go(home: Home) -> None:
    forget("--file", "/project/a.py")
    assert left(home) == []


def test_a_night_under_way_is_left_alone_and_named(home: Home) -> None:
    with NightLock(home, is_micro=False).held():
        _, said = forget("--file", "/project/a.py")
    assert "a night is under way that may have read it" in said
    assert "examples.jsonl" in left(home)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--repo", "/project"), ["20261201-0300-0001"]),
        (("--file", "/project/a.py"), ["20261201-0300-0001"]),
        (("--since", "2001-01-01"), []),
        (("--all",), ["20261201-0300-0001", "20261202-0300-0002"]),
    ],
)
def test_adapters_that_learned_from_its_files_are_named(
    home: Home, words: tuple[str, ...], named: list[str]
) -> None:
    registry = Registry(home)
    add_adapter(registry, 1, files=["file:///project/a.py"])
    add_adapter(registry, 2, files=["file:///projects/b.py"])
    found, _ = forget(*words)
    assert found.get("adapters", []) == named


@pytest.fixture
def replayed(home: Home) -> Home:
    """The same home, with the records of two replays and the result of the last."""
    for name in ("0123", "learn-4567"):
        rows = home.replays / name / "seeds" / "0" / "rows.jsonl"
        rows.parent.mkdir(parents=True)
        rows.write_text("prompts and answers")
    home.replay_result.write_text("{}")
    return home


def test_the_records_of_replays_go_whole_whatever_is_forgotten(replayed: Home) -> None:
    found, _ = forget("--file", "/project/a.py")
    assert (found["forgotten"], found["replays"]) == (1, 2)
    assert list(replayed.replays.iterdir()) == []
    assert replayed.replay_result.exists(), "figures hold no code"


def test_they_go_though_nothing_else_is_stored_of_it(replayed: Home) -> None:
    found, _ = forget("--repo", "/elsewhere")
    assert found == {"forgotten": 0, "replays": 2}
    replayed.ledger.unlink()
    (replayed.replays / "89ab").mkdir()
    assert forget("--all")[0] == {"forgotten": 0, "replays": 1}
    assert not replayed.replay_result.exists()


def test_a_replay_under_way_keeps_its_records_and_is_told(replayed: Home) -> None:
    with FileLock(replayed.replays / "0123" / "lock"):
        found, said = forget("--all")
    assert found["replays"] == 1
    assert "1 replays are under way" in said
    assert [path.name for path in replayed.replays.iterdir()] == ["0123"]
