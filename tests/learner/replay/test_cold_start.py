"""``nightschool replay --learn``: memory and ledger know the history, once, and no secret of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from small_history import MadeEngine, Repository, function

from lsp_server.cli import main
from models.choice import choose
from models.engine import EngineError
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.engine import Completion, EngineOptions, EngineStatus, Request

SECRET = 'password = "hunter2-Zx81kQ9vLmT4"\n'


class MadeChild(MadeEngine):
    """Stands in for the engine's process; fails at one question where it is told to."""

    fails_at = 0
    asked = 0

    def __init__(
        self, model: Path, options: EngineOptions, on_status: Callable[[EngineStatus], None]
    ) -> None:
        super().__init__(lambda request: "raise NotImplementedError")

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def complete(self, request: Request) -> Completion | None:
        MadeChild.asked += 1
        if MadeChild.asked == MadeChild.fails_at:
            raise EngineError("out of memory")
        return await super().complete(request)


@pytest.fixture
def project(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a poisoned commit."""
    model = tmp_path / "made.gguf"
    model.write_bytes(b"made")
    choose(Home(home), str(model))
    monkeypatch.setattr("learner.replay.cli.ChildEngine", MadeChild)
    monkeypatch.setattr(MadeChild, "asked", 0)
    monkeypatch.setattr(MadeChild, "fails_at", 0)
    repository = Repository(tmp_path / "project")
    text = ""
    for number in range(6):
        text += function("house", number)
        poison = SECRET if number == 3 else ""
        repository.commit({"house.py": text + poison, ".env": SECRET * number})
    return repository.root


def learn(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", "--learn", *map(str, arguments)])


def count(home: Path, query: str) -> int:
    with closing(sqlite3.connect(Home(home).root / query.split(":")[0])) as database:
        return database.execute(query.split(":")[1]).fetchone()[0]


def test_memory_and_ledger_know_what_was_typed(project: Path, home: Path) -> None:
    done = learn(project, "--limit", "10", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["learned"]

    assert told["project"] == "project" and told["interactions"] > 5
    assert count(home, "ledger.db:SELECT count(*) FROM outcomes") == told["interactions"]
    assert count(home, "ledger.db:SELECT count(*) FROM sessions WHERE client <> 'replay'") == 0
    assert count(home, "ledger.db:SELECT count(*) FROM outcomes WHERE known_by = 'explicit'") == 0
    assert count(home, "memory.db:SELECT count(*) FROM patterns") > 3


def test_what_was_learned_is_not_learned_twice(project: Path, home: Path) -> None:
    learn(project, "--limit", "10")
    asked, outcomes = MadeChild.asked, count(home, "ledger.db:SELECT count(*) FROM outcomes")
    assert learn(project, "--limit", "10").exit_code == 0

    assert MadeChild.asked == asked
    assert count(home, "ledger.db:SELECT count(*) FROM outcomes") == outcomes


def test_a_run_that_broke_off_goes_on(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MadeChild, "fails_at", 4)
    broken = learn(project, "--limit", "10")
    assert broken.exit_code == 1 and "goes on from here" in broken.stderr
    assert count(home, "ledger.db:SELECT count(*) FROM outcomes") == 3
    done = learn(project, "--limit", "10", "--json")

    interactions = json.loads(done.stdout)["learned"][0]["interactions"]
    assert MadeChild.asked == interactions + 1
    assert count(home, "ledger.db:SELECT count(*) FROM outcomes") == interactions


def test_no_secret_of_the_history_is_kept(project: Path, home: Path) -> None:
    assert learn(project, "--limit", "40").exit_code == 0
    for name in ("ledger.db", "ledger.db-wal", "memory.db", "memory.db-wal"):
        file = home / name
        assert not file.exists() or b"hunter2" not in file.read_bytes(), name


def test_a_folder_of_releases_is_nobodys_own_history(project: Path, tmp_path: Path) -> None:
    (tmp_path / "releases" / "a-1.0").mkdir(parents=True)
    done = learn(tmp_path / "releases")
    assert done.exit_code == 1 and "git cannot read" in done.stderr
