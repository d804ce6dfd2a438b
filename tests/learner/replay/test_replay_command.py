"""``nightschool replay`` as it is called: exit codes, the shape of its JSON, and a real small model."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from small_history import MadeEngine, Repository, function, growing

from learner.replay.cli import Clock
from learner.replay.session import Meter
from lsp_server.cli import main
from models.choice import choose
from models.engine import EngineError, EngineOptions, EngineStatus
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.engine import Completion, Request

INTERVAL = {"mean", "low", "high"}
FIGURES = {"net_saved_per_1000", "exact_match", "edit_similarity", "log_loss", "show_rate"}


class MadeChild(MadeEngine):
    """Stands in for the engine's process."""

    failure = ""

    def __init__(
        self, model: Path, options: EngineOptions, on_status: Callable[[EngineStatus], None]
    ) -> None:
        super().__init__(lambda request: "return other")

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def complete(self, request: Request) -> Completion | None:
        if self.failure:
            raise EngineError(self.failure)
        return await super().complete(request)


@pytest.fixture
def made(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose model is made, with a project to replay beside it."""
    model = tmp_path / "made.gguf"
    model.write_bytes(b"made")
    choose(Home(home), str(model))
    monkeypatch.setattr("learner.replay.cli.ChildEngine", MadeChild)
    monkeypatch.setattr(MadeChild, "failure", "")
    return growing(tmp_path / "project", commits=4).root


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_the_json_has_the_shape_that_is_promised(made: Path, home: Path) -> None:
    done = call(made, "--limit", "12", "--arms", "frozen,static,memory", "--json")
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = json.loads(done.stdout)

    assert set(result) >= {"arms", "slope", "differences", "projects", "seeds"}
    assert list(result["arms"]) == ["frozen", "static", "memory"]
    for figures in result["arms"].values():
        assert set(figures) >= FIGURES
        assert all(set(figures[name]) == INTERVAL for name in FIGURES)
    assert all(
        set(row) >= {"arm", "interactions", "net_saved_per_1000", "exact_match"} for row in result["slope"]
    )
    assert all(set(row) >= {"arm", "against", *INTERVAL} for row in result["differences"])
    assert result["projects"] == ["project"] and result["seeds"] == [0]
    kept = Home(home).replay_result
    assert json.loads(kept.read_text()) == result
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_all_that_a_replay_keeps_is_private(made: Path, home: Path) -> None:
    assert call(made, "--limit", "6").exit_code == 0
    for path in [Home(home).replays, *Home(home).replays.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_people_get_tables(made: Path) -> None:
    done = call(made, "--limit", "6", "--arms", "frozen,static")
    assert done.exit_code == 0, done.output
    assert "net saved" in done.stdout and "static" in done.stdout and "memory" not in done.stdout


def test_nothing_typed_is_nothing_to_do(made: Path, tmp_path: Path) -> None:
    empty = Repository(tmp_path / "empty")
    done = call(empty.root, "--json")
    assert done.exit_code == 3
    assert "nothing to do" in done.stderr and json.loads(done.stdout)["arms"] == {}
    empty.commit({"a.py": function("a", 1)})
    assert call(empty.root).exit_code == 3


@pytest.mark.parametrize(
    "arguments",
    [("--arms", "frozen,clairvoyant"), ("--arms", ","), ("--limit", "0"), ("--arms", "other_project")],
)
def test_wrong_usage_is_told(made: Path, arguments: tuple[str, ...]) -> None:
    done = call(made, *arguments)
    assert done.exit_code == 2
    assert "Usage" in done.stderr


def test_without_a_path_or_with_a_wrong_one_it_is_wrong_usage(made: Path, tmp_path: Path) -> None:
    assert call().exit_code == 2
    assert call(tmp_path / "nowhere").exit_code == 2


def test_a_failing_engine_says_how_to_go_on(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MadeChild, "failure", "out of memory")
    done = call(made, "--limit", "6")
    assert done.exit_code == 1
    assert "out of memory; the same command goes on from here" in done.stderr


def test_a_missing_model_is_named_with_its_remedy(made: Path, home: Path) -> None:
    choose(Home(home), "smollm2-135m")
    (home / "models").unlink()
    done = call(made)
    assert done.exit_code == 1
    assert "nightschool model get smollm2-135m" in done.stderr


def test_the_time_left_goes_by_what_was_asked_now() -> None:
    """What an earlier run has asked passes in no time, and says nothing of what is left."""
    clock, meter = Clock(), Meter(lambda _: None)
    meter.say("ask", 0, 100)
    for _ in range(50):
        meter.note(was_asked=False)
        assert "left" not in clock.told(meter, 5.0)
    for _ in range(10):
        meter.note(was_asked=True)
    assert clock.told(meter, 25.0) == "60/100, 0:01:20 left"


def test_a_real_model_is_replayed(smollm: Path, home: Path, tmp_path: Path) -> None:
    choose(Home(home), "smollm2-135m")
    project = growing(tmp_path / "project", commits=3, names=("alpha",)).root
    done = call(project, "--limit", "2", "--arms", "frozen,memory", "--json")
    assert done.exit_code == 0, done.output
    arms = json.loads(done.stdout)["arms"]
    assert set(arms) == {"frozen", "memory"}
    assert 0 < arms["frozen"]["log_loss"]["mean"] < 10
