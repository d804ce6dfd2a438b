"""Practice: tasks from files and history, graded by the real engine, of which the half mastered are kept."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from learner.examples import Example, Source
from learner.practice.grading import Exercise, Practice, grade, mastery, practise
from learner.practice.history import past_versions
from learner.practice.tasks import set_tasks
from models.engine import Scored
from models.prompt import Prompt

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from models.line_end import End

NOW = 1_790_000_000.0
DAY = 86400
TOKEN = "ghp_" + "Zk3" * 12


def module(name: str, functions: int = 8, extra: str = "") -> str:
    return f'"""The module {name}."""\n\n' + "\n\n".join(
        f"def {name}_{number}(amount, rate):\n    total = amount * rate + {number}\n"
        f"    if total > {number * 100}:\n        total = total - {name}_discount(total){extra}\n"
        "    return total\n"
        for number in range(functions)
    )


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q")

    def git(self, *arguments: str, at: float = NOW) -> None:
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "T"), ("EMAIL", "t@example.org"), ("DATE", f"{int(at)} +0000"))
        }
        command = ["git", *arguments]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True, env={**os.environ, **who})

    def commit(self, at: float, **files: str) -> None:
        for name, text in files.items():
            path = self.root / f"{name}.py"
            path.write_text(text, "utf-8")
            os.utime(path, (at, at))
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "-m", "change", at=at)

    def tasks(self, count: int = 40, **options: Any) -> list[Example]:
        return set_tasks([self.root], count, options.pop("seed", 0), NOW, **options)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two files, one of which was written in two commits."""
    repository = Repository(tmp_path / "shop")
    repository.commit(NOW - 20 * DAY, prices=module("old"), letters=module("letter"))
    repository.commit(NOW - 2 * DAY, prices=module("new"))
    return repository


class TestTasks:
    def test_they_come_from_the_files_and_from_what_they_were(self, repository: Repository) -> None:
        tasks = repository.tasks()
        past = [task for task in tasks if "old_" in task.prompt.prefix + task.target + task.prompt.suffix]
        assert {task.source for task in tasks} == {Source.PRACTICE}
        assert past
        assert len(tasks) > len(past)
        assert {task.at for task in past} == {NOW - 20 * DAY}
        assert not any("new_" in task.prompt.prefix + task.prompt.suffix for task in past)

    def test_they_are_the_same_for_the_same_seed(self, repository: Repository) -> None:
        assert repository.tasks() == repository.tasks()
        assert repository.tasks() != repository.tasks(seed=1)

    def test_none_is_of_a_private_file_or_holds_a_secret(self, repository: Repository) -> None:
        repository.commit(NOW - 9 * DAY, hidden=module("hidden"), keys=f'KEY = "{TOKEN}"\n' * 12)
        repository.commit(NOW - 8 * DAY, hidden=module("hid"), keys=module("keys"))
        tasks = repository.tasks(count=90, ignore=("hidden.py",))
        assert tasks
        assert not any("hidden" in task.file for task in tasks)
        assert not any(TOKEN in str(task) for task in tasks)

    def test_what_the_exam_asks_is_no_task(self, repository: Repository) -> None:
        asked: list[float] = []
        assert repository.tasks(is_wanted=lambda task, lines: bool(asked.append(task.at))) == []
        assert set(asked) == {NOW - 20 * DAY, NOW - 2 * DAY}

    def test_the_present_is_no_past(self, repository: Repository) -> None:
        assert [(each.name, each.at) for each in past_versions(repository.root, NOW)] == [
            ("prices.py", NOW - 20 * DAY)
        ]

    def test_without_git_the_files_are_enough(self, tmp_path: Path) -> None:
        root = tmp_path / "plain"
        root.mkdir()
        (root / "prices.py").write_text(module("price"))
        assert set_tasks([root], 10, 0, NOW)

    @pytest.mark.parametrize("name", ["gone", "empty"])
    def test_where_there_is_nothing_no_task_is_set(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        assert set_tasks([tmp_path / name], 10, 0, NOW) == []


def task(target: str = "x") -> Example:
    return Example(Prompt("a = ", ""), target, 0.5, Source.PRACTICE, "a.py", 0.0)


class Scripted:
    """An engine whose ranks a test gives."""

    def __init__(self, *ranks: tuple[int, ...]) -> None:
        self._ranks = list(ranks)

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored:
        ranks = self._ranks.pop(0)
        return Scored((0.0,) * len(ranks), ranks)


async def ignore(number: int) -> None:
    pass


class TestGrading:
    @pytest.mark.parametrize(("ranks", "share"), [((0, 0), 1.0), ((0, 3), 0.5), ((7,), 0.0)])
    def test_mastery_is_the_share_of_likeliest_tokens(self, ranks: tuple[int, ...], share: float) -> None:
        assert mastery(Scored((0.0,) * len(ranks), ranks)) == share

    async def test_the_half_mastered_are_kept(self) -> None:
        tasks = [task(name) for name in ("right", "near", "half", "far")]
        engine = Scripted((0, 0, 0, 0), (0, 0, 0, 5), (0, 1), (9, 9, 0))
        found = await grade(engine, tasks, 9, 60, ignore)
        assert [each.target for each in found.kept] == ["near", "half"]
        assert (found.mastered, found.hopeless, found.unasked) == (1, 1, 0)

    async def test_it_ends_with_enough_of_them(self) -> None:
        found = await grade(Scripted((0, 1), (0, 1)), [task()] * 5, 2, 60, ignore)
        assert (len(found.kept), found.unasked) == (2, 3)

    async def test_it_ends_in_time(self) -> None:
        clock = iter(range(0, 1000, 10))
        found = await grade(Scripted(*[(0, 1)] * 9), [task()] * 9, 9, 25, ignore, lambda: next(clock))
        assert (len(found.kept), found.unasked, found.seconds) == (2, 7, 40)

    async def test_whoever_holds_it_can_end_it(self) -> None:
        async def stop(number: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await grade(Scripted(), [task()], 1, 60, stop)


def test_the_real_engine_grades_real_tasks(repository: Repository, smollm: Path) -> None:
    """What stands in the prompt twice is mastered; a random string is out of reach."""
    line = "    total = total - discount(total)\n"
    known = Example(
        Prompt(f"def a(total):\n{line}    return total\n\n\ndef b(total):\n{line}    return total\n\n\n" * 3
               + "def c(total):\n    total = total -", ""),
        " discount(total)", 0.5, Source.PRACTICE, "a.py", 0.0, ends=False,
    )  # fmt: skip
    hopeless = Example(Prompt("key = ", ""), "'q7Zk0vXw9TbLr2'", 0.5, Source.PRACTICE, "a.py", 0.0)
    told: list[int] = []

    def on_task(number: int) -> None:
        told.append(number)

    found = _practised(smollm, [known, hopeless, *repository.tasks(8)], on_task)
    assert (found.mastered >= 1, found.hopeless >= 1, found.unasked) == (True, True, 0)
    assert known not in found.kept
    assert hopeless not in found.kept
    assert told == list(range(len(told)))
    assert len(told) == found.mastered + found.hopeless + len(found.kept)


def _practised(model: Path, tasks: list[Example], on_task: Any) -> Practice:
    import threading

    ended: threading.Event = threading.Event()
    found = practise(Exercise(model, None, tasks, 99, 60.0), on_task, ended)
    assert ended.is_set()
    return found
