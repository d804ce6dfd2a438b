"""Histories as they come: renamed, rewritten, merged, poisoned, damaged; and what of them is asked about."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from small_history import Repository, function, growing

from learner.privacy import PrivacyFilter
from learner.replay.git_history import GitHistory
from learner.replay.history import Change, HistoryError, NothingToReplayError, is_inside, with_renames
from learner.replay.questions import Question, questions_of
from learner.replay.releases import ReleaseHistory, version_key
from learner.replay.sampling import Plan, draw_plan, read_plan, write_plan
from learner.replay.session import open_history

SECRET = 'password = "hunter2-Zx81kQ9vLmT4"\n'


def drawn(root: Path, limit: int = 40, seed: int = 0) -> Plan:
    return draw_plan(open_history(root), limit, seed, PrivacyFilter(()), lambda step: None)


def asked(root: Path, limit: int = 40) -> list[Question]:
    history = open_history(root)
    return questions_of(history, drawn(root, limit))


def paths(root: Path) -> set[str]:
    return {cursor.path for cursor in drawn(root).cursors}


def test_places_are_the_same_for_a_seed_and_in_the_order_of_time(tmp_path: Path) -> None:
    growing(tmp_path / "p")
    plan = drawn(tmp_path / "p")

    assert drawn(tmp_path / "p") == plan
    assert drawn(tmp_path / "p", seed=1) != plan
    places = [(each.step, each.path, each.row, each.column) for each in plan.cursors]
    assert places == sorted(places) and len(set(places)) == len(places)
    # All files of all steps have their turn.
    assert {(each.step, each.path) for each in plan.cursors} > {
        (step, f"package/{name}.py") for step in range(3) for name in ("alpha", "beta", "gamma")
    }


def test_between_stream_and_block_is_a_gap(tmp_path: Path) -> None:
    growing(tmp_path / "p", commits=12)
    history = open_history(tmp_path / "p")
    plan = draw_plan(history, 40, 0, PrivacyFilter(()), lambda step: None)

    assert len(plan.stream) == 40
    assert len(plan.block) == 13
    assert plan.stream[-1].step < plan.block[0].step


def test_a_frozen_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    growing(tmp_path / "p")
    plan = drawn(tmp_path / "p")
    file = tmp_path / "plans" / "p.json"
    write_plan(file, plan)

    assert read_plan(file) == plan
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text(file.read_text()[:-20])
    assert read_plan(file) is None


def test_nothing_newer_than_the_moment_is_seen(tmp_path: Path) -> None:
    """Each name has its commit's number: a later one in the file's text would be a look into the future."""
    growing(tmp_path / "p")
    for question in asked(tmp_path / "p"):
        text = "".join(question.situation.lines)
        name = Path(question.cursor.path).stem
        for later in range(question.cursor.step + 2, 6):
            assert f"{name}_{later}" not in text
        assert question.truth.target.strip()


def test_duplicates_are_told_from_novel_lines(tmp_path: Path) -> None:
    growing(tmp_path / "p")
    questions = asked(tmp_path / "p")

    for question in questions:
        assert question.duplicate is (question.truth.line == "return other")
    assert len({question.duplicate for question in questions}) == 2


def test_binary_generated_vendored_and_private_files_are_not_asked_about(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=2)
    code = "".join(function("more", number) for number in range(4))
    repository.commit(
        {
            "image.py": b"\0\1\2" * 400,
            "latin.py": "\n".join(f"name_{n} = 'é'" for n in range(20)).encode("latin-1"),
            "generated.py": f"# Code generated. DO NOT EDIT\n{code}",
            "vendor/lib.py": code,
            "node_modules/lib/index.js": "\n".join(f"const a{n} = call({n})" for n in range(30)),
            ".env.py": code,
            "data.py": f"x = [{', '.join(map(str, range(900)))}]\n" * 9,
            "honest.py": code,
        }
    )

    assert paths(repository.root) == {
        "package/alpha.py", "package/beta.py", "package/gamma.py", "honest.py",
    }  # fmt: skip


def test_a_merge_storm_is_no_typing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learner.replay.git_history.MOST_TYPED", 60)
    repository = growing(tmp_path / "p", commits=3)
    for branch in range(6):
        repository.git("checkout", "--quiet", "-b", f"b{branch}", "main~1")
        repository.commit({f"b{branch}.py": "".join(function(f"b{branch}", n) for n in range(9))})
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-edit", *(f"b{branch}" for branch in range(6)))
    repository.commit({"last.py": function("last", 1) + function("last", 2)})

    found = paths(repository.root)
    assert "last.py" in found
    assert not any(path.startswith("b") for path in found)


def test_a_small_merge_is_one_step(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=2)
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit({"topic.py": function("topic", 1)})
    repository.commit({"topic.py": function("topic", 1) + function("topic", 2)})
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    steps = list(GitHistory(repository.root).steps())

    assert [change.path for change in steps[-1].changes] == ["topic.py"]
    assert len(steps) == 2


def test_a_renamed_file_is_not_typed_again(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=3)
    text = (repository.root / "package/alpha.py").read_text()
    repository.commit({"package/alpha.py": None, "package/renamed.py": text + function("added", 9)})
    cursors = [each for each in drawn(repository.root).cursors if each.path == "package/renamed.py"]
    renamed = [q for q in asked(repository.root) if q.cursor.path == "package/renamed.py"]

    assert cursors and all(cursor.row >= text.count("\n") for cursor in cursors)
    assert all("added_9" in q.truth.line or "added" in q.truth.line or q.duplicate for q in renamed)


def test_a_rewritten_history_is_another_one(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=4)
    history = GitHistory(repository.root)
    plan = draw_plan(history, 20, 0, PrivacyFilter(()), lambda step: None)
    repository.git("reset", "--quiet", "--hard", "HEAD~2")
    repository.commit({"package/alpha.py": "".join(function("other", n) for n in range(3))})
    rewritten = GitHistory(repository.root)

    assert rewritten.identity != history.identity
    with pytest.raises(HistoryError, match="--restart"):
        questions_of(rewritten, plan)


def test_an_empty_repository_is_nothing_to_replay(tmp_path: Path) -> None:
    empty = Repository(tmp_path / "empty")
    with pytest.raises(NothingToReplayError, match="no commit"):
        GitHistory(empty.root)
    empty.commit({"a.py": function("a", 1)})
    with pytest.raises(NothingToReplayError, match="one commit"):
        GitHistory(empty.root)
    empty.commit({"a.txt": "no code\n"})
    with pytest.raises(NothingToReplayError, match="0 places"):
        drawn(empty.root)


def test_a_damaged_repository_fails_with_what_git_says(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=2)
    (repository.root / ".git/HEAD").write_text("ref: refs/heads/gone/../x\n")

    with pytest.raises(HistoryError, match="git cannot read"):
        GitHistory(repository.root)


def test_of_a_poisoned_history_no_secret_is_a_target(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=2)
    junk = "".join(chr(33 + n * 7 % 90) for n in range(5000)) + "\n"
    repository.commit({"keys.py": SECRET * 3 + function("keys", 1) + SECRET, "junk.py": junk * 20})
    found = asked(repository.root)

    assert any(question.cursor.path == "keys.py" for question in found)
    assert not any("hunter2" in question.truth.line for question in found)
    assert "junk.py" not in {question.cursor.path for question in found}


def test_git_runs_no_program_of_the_repository(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=3)
    trap = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\n")
    program.chmod(0o755)
    for setting in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv", "filter.x.smudge"):
        repository.git("config", setting, str(program))
    (repository.root / ".git/info/attributes").write_text("* diff=x filter=x\n")

    history = GitHistory(repository.root)
    assert history.start() and len(list(history.steps())) == 2
    assert not trap.exists()


def test_links_and_large_files_are_no_texts(tmp_path: Path) -> None:
    repository = growing(tmp_path / "p", commits=2)
    (repository.root / "link.py").symlink_to("/etc/hostname")
    repository.commit({"large.py": "a = 1\n" * 200_000, "next.py": function("next", 1)})
    (step,) = list(GitHistory(repository.root).steps())[-1:]

    assert [change.path for change in step.changes] == ["next.py"]


def test_a_new_file_of_other_lines_is_no_renamed_one() -> None:
    gone, same = Change("a.py", "x = 1\ny = 2\n", None), Change("b.py", None, "x = 1\ny = 2\nz = 3\n")
    other = Change("c.py", None, "q = 7\n")

    moved, new = with_renames([gone, same, other])
    assert (moved.path, moved.was, moved.before) == ("b.py", "a.py", gone.before)
    assert new == other


@pytest.mark.parametrize(
    "path", ["../x.py", "/etc/x.py", "a//b.py", "a/../../b", "C:/x", "a\\b", ".git/config", ""]
)
def test_no_path_leads_out_of_its_folder(path: str) -> None:
    assert not is_inside(path)


def wheel(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def sdist(path: Path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, BytesIO(text.encode()))


def versions(count: int) -> dict[str, str]:
    return {f"1.{n}": "".join(function("f", each) for each in range(n + 1)) for n in (1, 10, 2)[:count]}


def test_releases_are_ordered_by_version_and_not_by_name(tmp_path: Path) -> None:
    for version, text in versions(3).items():
        wheel(
            tmp_path / f"tool-{version}-py3-none-any.whl",
            {"tool/a.py": text, f"tool-{version}.dist-info/M": "x"},
        )
    history = ReleaseHistory(tmp_path)

    assert history.project == "tool"
    assert set(history.start()) == {"tool/a.py"}
    assert [step.name.split("-")[1] for step in history.steps()] == ["1.2", "1.10"]
    assert "f_10" in (list(history.steps())[-1].changes[0].after or "")


def test_a_release_may_be_the_work_of_many_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learner.replay.git_history.MOST_TYPED", 1)
    for version, text in versions(3).items():
        wheel(tmp_path / f"tool-{version}-py3-none-any.whl", {"tool/a.py": text})

    assert len(drawn(tmp_path).cursors) > 5


def test_versions_sort_as_releases_do() -> None:
    ordered = ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.2", "1.10", "2"]
    shuffled = [ordered[4], *ordered[7:], *ordered[:4], *ordered[5:7]]
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0") == version_key("1")


def test_source_archives_and_folders_are_releases_too(tmp_path: Path) -> None:
    for version, text in versions(3).items():
        sdist(
            tmp_path / f"s-{version}.tar.gz",
            {f"s-{version}/src/a.py": text, f"s-{version}/../../out.py": "x"},
        )
        folder = tmp_path / "unpacked" / f"tool-{version}"
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(text)

    assert set(ReleaseHistory(tmp_path).start()) == {"src/a.py"}
    assert set(ReleaseHistory(tmp_path / "unpacked").start()) == {"a.py"}
    assert ReleaseHistory(tmp_path / "unpacked").project == "tool"


def test_a_broken_or_enormous_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(tmp_path / "t-1.0-py3-none-any.whl", {"a.py": function("f", 1)})
    (tmp_path / "t-2.0-py3-none-any.whl").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(HistoryError, match=r"t-2\.0.*take it out"):
        list(ReleaseHistory(tmp_path).steps())
    wheel(tmp_path / "t-2.0-py3-none-any.whl", {"a.py": "x" * 200, "b.py": "y" * 200})
    monkeypatch.setattr("learner.replay.releases.MOST_RELEASE_BYTES", 300)
    with pytest.raises(HistoryError, match=r"t-2\.0.*more than"):
        list(ReleaseHistory(tmp_path).steps())


def test_a_folder_without_releases_is_nothing_to_replay(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "tool-1.0.txt").write_text("x")
    with pytest.raises(NothingToReplayError, match="holds 0 releases"):
        ReleaseHistory(tmp_path)
