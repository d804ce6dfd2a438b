"""The replay itself, with an engine that is made: who is asked what, when, and what is told to whom."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from small_history import MadeEngine, function, growing

from learner.facts import Settlement
from learner.replay.arms import ArmName
from learner.replay.history import HistoryError
from learner.replay.record import Phase, Record
from learner.replay.session import Meter, ReplayOptions, replay
from models.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack

    from learner.facts import Event, Offered
    from learner.replay.asking import Examinee
    from learner.replay.record import Row
    from learner.replay.workplace import Workplace
    from models.engine import Request

ALL = (ArmName.FROZEN, ArmName.STATIC, ArmName.MEMORY)


def silent(request: Request) -> str:
    return ""


class Play:
    """Replays made repositories with a made engine, in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "model.gguf").write_bytes(b"no model")
        self.engine = MadeEngine(silent)

    async def run(
        self, *paths: Path, arms: tuple[ArmName, ...] = ALL, limit: int = 12, **more: Any
    ) -> dict[str, Any]:
        async def start(stack: AsyncExitStack, adapter: Path | None) -> Examinee:
            return self.engine

        options = ReplayOptions(paths, arms, limit, **more)
        self.meter = Meter(lambda _: None)
        return await replay(self.root / "replays", self.root / "model.gguf", options, start, self.meter)

    def rows(self, seed: int = 0) -> list[Row]:
        (file,) = (self.root / "replays").glob(f"*/seeds/{seed}/rows.jsonl")
        record = Record(file)
        record.close()
        return list(record.rows.values())


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return growing(tmp_path / "project", commits=8).root


def shown_chunks(engine: MadeEngine) -> list[str]:
    return [chunk.text for request in engine.requests for chunk in request.prompt.chunks]


async def test_all_arms_answer_the_same_questions(play: Play, project: Path) -> None:
    await play.run(project)
    asked: dict[tuple[str, Phase], set[int]] = {}
    for row in play.rows():
        asked.setdefault((row.arm, row.phase), set()).add(row.number)

    assert len(asked) == 6
    for phase in (Phase.STREAM, Phase.BLOCK):
        assert asked["frozen", phase] == asked["static", phase] == asked["memory", phase]
    assert len(asked["frozen", Phase.STREAM]) == 12
    assert play.meter.done == play.meter.total == len(play.rows())
    assert not list((play.root / "replays").rglob("*.py")), "a copy of the project is left over"


async def test_the_block_is_asked_at_each_snapshot_and_the_same_of_whoever_learns_nothing(
    play: Play, project: Path
) -> None:
    result = await play.run(project)
    at = {(row.arm, row.interactions) for row in play.rows() if row.phase is Phase.BLOCK}

    assert at == {("frozen", 0), ("static", 0), ("memory", 0), ("memory", 10), ("memory", 12)}
    slope = {(row["arm"], row["interactions"]): row["exact_match"] for row in result["slope"]}
    assert set(slope) == {(str(arm), n) for arm in ALL for n in (0, 10, 12)}


async def test_frozen_sees_its_file_alone_and_static_what_was_there_at_the_start(
    play: Play, project: Path
) -> None:
    await play.run(project, arms=(ArmName.FROZEN,))
    assert not shown_chunks(play.engine)
    await play.run(project, arms=(ArmName.STATIC,))

    numbers = {int(n) for text in shown_chunks(play.engine) for n in re.findall(r"_total_(\d+)", text)}
    assert numbers == {0}


async def test_what_the_memory_arm_is_shown_is_never_newer_than_the_cursor(play: Play, project: Path) -> None:
    """Each line has its commit's number; a prompt with a later one than the cursor's would look ahead."""
    await play.run(project, arms=(ArmName.MEMORY,))
    later = 0
    rows = {row.number: row for row in play.rows() if row.phase is Phase.STREAM}
    (plan,) = (play.root / "replays").glob("*/seeds/0/project.cursors.json")
    cursors = json.loads(plan.read_text())["stream"]
    for number, cursor in enumerate(cursors):
        prediction = rows[number].prediction
        assert prediction is not None
        for chunk in prediction.prompt.chunks:
            found = {int(n) for n in re.findall(r"_total_(\d+)", chunk.text)}
            # In a step, files are changed by their names' order; the first commit has number 0, and no step.
            newest = cursor["step"] + (1 if chunk.path < cursor["path"] else 0)
            assert all(n <= newest for n in found), (cursor, chunk)
            later += any(n > 0 for n in found)
    assert later > 0, "nothing shown was newer than the start, so that nothing was tested"


async def test_memory_offers_at_the_like_place_what_was_typed(play: Play, tmp_path: Path) -> None:
    """The model never knows the house's line; memory has seen it typed."""
    names = tuple(f"module_{letter}" for letter in "abcdefgh")
    repository = growing(tmp_path / "house", commits=1, names=names)
    text = {name: function(name, 0) for name in names}
    for number in range(1, 9):
        for name in names[number % 4 :: 4]:
            text[name] += (
                f"\n\ndef check_{name}_{number}(request):\n    return audited_by_house_rules(request)\n"
            )
        repository.commit({f"package/{name}.py": each for name, each in text.items()})
    await play.run(repository.root, arms=(ArmName.FROZEN, ArmName.MEMORY), limit=30)

    exact: dict[tuple[str, int], int] = {}
    for row in play.rows():
        if row.phase is Phase.BLOCK:
            key = (row.arm, row.interactions)
            exact[key] = exact.get(key, 0) + row.exact
    last = max(interactions for _, interactions in exact)
    assert exact["memory", last] > exact["memory", 0] == exact["frozen", 0] == 0


async def test_a_killed_replay_goes_on_and_ends_as_one_that_was_not(play: Play, project: Path) -> None:
    whole = await play.run(project)
    (file,) = (play.root / "replays").glob("*/seeds/0/rows.jsonl")
    content = file.read_bytes()
    # Killed in the middle of writing a row.
    lines = content.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:20]) + lines[20][:30])

    assert await play.run(project) == whole
    assert play.meter.asked == len(lines) - 20
    assert file.read_bytes() == content


async def test_the_same_prompt_is_asked_once_and_arms_that_share_it_follow_each_other(
    play: Play, project: Path
) -> None:
    """Decoding is greedy: between two snapshots most of the block's prompts do not change."""
    await play.run(project, arms=(ArmName.STATIC, ArmName.MEMORY))
    prompts = [request.prompt for request in play.engine.requests]
    block = [(row.number, row.arm) for row in play.rows() if (row.phase, row.interactions) == ("block", 0)]

    assert len(prompts) == len(set(prompts)) < len(play.rows())
    assert [arm for _, arm in block] == ["static", "memory"] * (len(block) // 2)


async def test_an_engine_that_fails_costs_one_question(play: Play, project: Path) -> None:
    def fails(request: Request) -> str:
        if len(play.engine.requests) == 7:
            raise EngineError("out of memory")
        return ""

    play.engine.says = fails
    with pytest.raises(EngineError, match="out of memory"):
        await play.run(project, arms=(ArmName.FROZEN,))
    assert len(play.rows()) == 6
    play.engine.says = silent
    await play.run(project, arms=(ArmName.FROZEN,))
    assert len(play.engine.requests) == len(play.rows()) + 1


async def test_restart_forgets_what_was_asked(play: Play, project: Path) -> None:
    await play.run(project, arms=(ArmName.FROZEN,))
    asked = len(play.engine.requests)
    await play.run(project, arms=(ArmName.FROZEN,))
    assert len(play.engine.requests) == asked
    await play.run(project, arms=(ArmName.FROZEN,), restart=True)
    assert len(play.engine.requests) == 2 * asked


async def test_after_a_second_project_the_first_is_asked_again(
    play: Play, project: Path, tmp_path: Path
) -> None:
    second = growing(tmp_path / "second", commits=8, names=("delta", "epsilon")).root
    result = await play.run(project, second)

    returned = [row for row in result["slope"] if row["returned"]]
    assert {(row["arm"], row["project"], row["interactions"]) for row in returned} == {
        ("memory", "project", 24)
    }
    assert result["projects"] == ["project", "second"]
    assert max(row["interactions"] for row in result["slope"] if row["project"] == "project") == 24


async def test_two_projects_of_one_name_are_refused(play: Play, project: Path, tmp_path: Path) -> None:
    other = growing(tmp_path / "elsewhere" / "project", commits=3).root
    with pytest.raises(HistoryError, match="same name"):
        await play.run(project, other)


async def test_seeds_are_pooled(play: Play, project: Path) -> None:
    one = await play.run(project, arms=(ArmName.FROZEN,), seeds=(0,))
    both = await play.run(project, arms=(ArmName.FROZEN,), seeds=(0, 1))

    assert both["seeds"] == [0, 1]
    assert both["arms"]["frozen"]["questions"] == 2 * one["arms"]["frozen"]["questions"]


async def test_an_oracle_saves_nearly_all_and_silence_nothing(play: Play, project: Path) -> None:
    """The engine that knows the answer: what it says is taken whole, and each offer costs one look."""
    answers: dict[str, str] = {}
    await play.run(project, arms=(ArmName.FROZEN,))
    for request, (prompt, target) in zip(play.engine.requests, play.engine.scored, strict=True):
        assert request.prompt == prompt
        answers[prompt.prefix] = target
    silence = (await play.run(project, arms=(ArmName.FROZEN,)))["arms"]["frozen"]
    play.engine.says = lambda request: answers[request.prompt.prefix]
    oracle = (await play.run(project, arms=(ArmName.FROZEN,), restart=True))["arms"]["frozen"]

    assert silence["net_saved_per_1000"]["mean"] == silence["show_rate"]["mean"] == 0
    assert oracle["exact_match"]["mean"] == oracle["show_rate"]["mean"] == 1
    assert 850 < oracle["net_saved_per_1000"]["mean"] < 1000


def test_a_record_takes_away_what_is_not_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"no": "row"}\n{"cut')
    record = Record(file)

    assert not record.rows
    record.close()
    assert file.read_bytes() == b""


class MadeSchool:
    """Stands in for nights: after each, an adapter that is named after the arm and the interactions."""

    taught: ClassVar[dict[str, list[tuple[str, str]]]] = {}

    def __init__(
        self,
        root: Path,
        model: Path,
        base: str,
        seed: int,
        on_progress: object,
        is_due: Callable[[int], bool] = bool,
    ) -> None:
        self.name, self._is_due = root.name, is_due
        self.adapter: Path | None = None

    def enter(self, workplace: Workplace) -> None: ...

    def record(self, offer: Offered, facts: Sequence[Event | Settlement]) -> None:
        settled = next(fact.text for fact in facts if isinstance(fact, Settlement))
        self.taught.setdefault(self.name, []).append((offer.uri, settled))

    async def study(self, interactions: int) -> None:
        if self._is_due(interactions):
            self.adapter = Path(f"{self.name}-{interactions}.gguf")

    def close(self) -> None: ...


async def test_each_arm_is_asked_with_the_adapter_of_its_nights(
    play: Play, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learner.replay.session.NightSchool", MadeSchool)
    monkeypatch.setattr(MadeSchool, "taught", {})
    second = growing(tmp_path / "second", commits=8, names=("delta", "epsilon")).root
    used: dict[str, set[str]] = {}
    for arm in (ArmName.WEIGHTS, ArmName.OTHER_PROJECT, ArmName.SHUFFLED):
        play.engine.adapters.clear()
        await play.run(project, second, arms=(arm, ArmName.BOTH) if arm is ArmName.WEIGHTS else (arm,))
        used[arm] = {adapter.stem for adapter in play.engine.adapters if adapter}

    assert used["weights"] == {f"weights-{n}" for n in (10, 12, 22, 24)}
    assert used["other_project"] == {"second-12", "project-12"}
    assert used["shuffled"] == {f"shuffled-{n}" for n in (10, 12, 22, 24)}
    own, other = MadeSchool.taught["weights"], MadeSchool.taught["shuffled"]
    assert len(own) == 24 and len(other) == 22, "shuffled is told nothing where nothing came before"
    assert {text for _, text in other} < {text for _, text in own}
    assert [text for _, text in other] != [text for _, text in own][1:12] + [text for _, text in own][13:]
