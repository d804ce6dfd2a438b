"""Examples from files: the developer's own, in a real git repository, and generic ones."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from learner.changes import changed_files
from learner.examples import Dropped, Example, Source
from learner.privacy import PrivacyFilter
from learner.replay_text import LICENCE, origin, replay_examples, standard_library
from learner.repository_examples import FromRepository, repository_examples
from learner.window import NEAR, cursor_prompt, first_line
from models.engine import Stop
from models.llama import Log, Model
from models.prompt import encode, encode_target

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000.0
DAY = 86400
TOKEN = "ghp_" + "Zk3" * 12


def module(name: str, functions: int = 12) -> str:
    return f'"""The module {name}."""\n\n' + "\n\n".join(
        f"def {name}_{number}(amount, rate):\n    total = amount * rate + {number}\n"
        f"    if total > {number * 100}:\n        total = total - {name}_discount(total)\n    return total\n"
        for number in range(functions)
    )


class Repository:
    """A git repository whose commits have the times that the test gives them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q")

    def git(self, *arguments: str, at: float = NOW) -> None:
        identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
                    (("NAME", "T"), ("EMAIL", "t@example.org"), ("DATE", f"{int(at)} +0000"))}  # fmt: skip
        subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            env={**os.environ, **identity},
        )

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        os.utime(path, (NOW - 2 * DAY, NOW - 2 * DAY))
        return path

    def commit(self, at: float) -> None:
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "-m", "change", at=at)

    def examples(self, count: int = 40, **options: Any) -> FromRepository:
        return repository_examples([self.root], count, options.pop("per_file", 20), 0, NOW, **options)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


def files(examples: list[Example]) -> list[str]:
    """The files' names, in the order in which they come."""
    return list(dict.fromkeys(example.file.rsplit("/", 1)[1] for example in examples))


def test_what_changed_last_comes_first(repository: Repository) -> None:
    repository.write("old.py", module("old"))
    repository.commit(NOW - 300 * DAY)
    repository.write("older.py", module("older"))
    repository.commit(NOW - 20 * DAY)
    repository.write("newer.py", module("newer"))
    repository.commit(NOW - DAY)
    uncommitted = repository.write("untracked.py", module("untracked"))
    os.utime(uncommitted, (NOW, NOW))
    assert files(repository.examples(count=200).examples) == [
        "untracked.py",
        "newer.py",
        "older.py",
        "old.py",
    ]


def test_of_a_changed_file_the_new_lines_come_first(repository: Repository) -> None:
    repository.write("a.py", module("a"))
    repository.commit(NOW - 300 * DAY)
    new = "\n\ndef fresh(cart):\n    first = cart.items.pop()\n    last = first.price + 3\n    return last\n"
    repository.write("a.py", module("a") + new)
    repository.commit(NOW - DAY)
    found = repository.examples(count=2).examples
    assert found
    assert all(example.line >= module("a").count("\n") for example in found)


def test_uncommitted_work_is_new(repository: Repository) -> None:
    repository.write("a.py", module("a"))
    repository.write("b.py", module("b"))
    repository.commit(NOW - 30 * DAY)
    path = repository.write("a.py", module("a") + "\nlater = a_1(1, 2)\n")
    os.utime(path, (NOW, NOW))
    newest = changed_files(repository.root, NOW)[0]
    assert (newest.path, newest.at) == (path, NOW)


def test_private_ignored_and_foreign_files_are_left_out(repository: Repository) -> None:
    repository.write("secrets.py", module("secret"))
    repository.write("mine.py", module("mine"))
    repository.write("hidden.py", module("hidden"))
    repository.write("vendor/other.py", module("other"))
    repository.write("node_modules/x/index.js", "function f(a) {\n  return a.b;\n}\n" * 9)
    repository.write("readme.md", "# Words\n" * 20)
    repository.commit(NOW - DAY)
    repository.write("later.py", module("later"))
    repository.write(".gitignore", "later.py\n")
    found = repository.examples(count=200, ignore=["hidden.py"])
    assert files(found.examples) == ["mine.py"]
    assert found.dropped == {Dropped.PRIVATE_FILE: 2}


def test_no_secret_is_a_target_or_in_a_prompt(repository: Repository) -> None:
    text = module("a", 3) + f'\ntoken = "{TOKEN}"\nclient = connect(token)\n' + module("b", 3)
    repository.write("a.py", text)
    repository.commit(NOW - DAY)
    found = repository.examples(count=200, per_file=200).examples
    assert len(found) > 10
    for example in found:
        assert TOKEN not in example.prompt.prefix + example.target + example.prompt.suffix


def test_prompts_are_those_of_serving(repository: Repository) -> None:
    repository.write("src/a.py", module("a", 40))
    repository.commit(NOW - DAY)
    found = repository.examples(count=60, per_file=60).examples
    privacy = PrivacyFilter([repository.root])
    for example in found:
        lines = (example.prompt.prefix + example.prompt.suffix).splitlines(keepends=True)
        row, column = example.prompt.prefix.count("\n"), len(example.prompt.prefix.rpartition("\n")[2])
        again = cursor_prompt(lines, row, column, 0, NEAR, privacy, path="src/a.py", repository="shop")
        assert again == example.prompt
        assert first_line(lines, row, NEAR, 1.0) == 0
    assert {example.source for example in found} == {Source.REPOSITORY}
    assert {example.stop for example in found} == set(Stop)


def test_the_same_seed_and_files_give_the_same(repository: Repository) -> None:
    repository.write("a.py", module("a"))
    repository.write("b.py", module("b"))
    repository.commit(NOW - DAY)
    assert repository.examples().examples == repository.examples().examples
    other = repository_examples([repository.root], 40, 20, 1, NOW).examples
    assert other != repository.examples().examples


def test_one_file_gives_no_more_than_its_share(repository: Repository) -> None:
    repository.write("giant.py", module("giant", 2000))
    repository.write("small.py", module("small", 5))
    repository.commit(NOW - DAY)
    found = repository.examples(count=100, per_file=10).examples
    assert sum(example.file.endswith("giant.py") for example in found) == 10
    assert any(example.file.endswith("small.py") for example in found)


def test_what_cannot_be_read_is_counted(repository: Repository) -> None:
    (repository.root / "latin.py").write_bytes(b"name = '\xe9'\n" * 20)
    (repository.root / "binary.py").write_bytes(b"a = 1\n\0\0\0\n" * 20)
    repository.write("minified.js", "var a=1;" * 20_000 + "\n\n\n\n\n\n\n\n\n")
    repository.write("generated.py", "# @generated by a tool\n" + module("generated"))
    repository.write("gone.py", module("gone"))
    repository.commit(NOW - DAY)
    (repository.root / "gone.py").unlink()
    (repository.root / "loop.py").symlink_to(repository.root / "loop.py")
    found = repository.examples()
    assert found.examples == []
    assert found.dropped == {Dropped.NO_CODE: 5, Dropped.PRIVATE_FILE: 1}


def test_without_git_the_files_times_tell(tmp_path: Path) -> None:
    for name, age in (("a.py", 3), ("b.py", 1), ("c.py", 2)):
        path = tmp_path / "plain" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(module(name[0]), "utf-8")
        os.utime(path, (NOW - age * DAY, NOW - age * DAY))
    (tmp_path / "plain" / ".venv").mkdir()
    (tmp_path / "plain" / ".venv" / "d.py").write_text(module("d"), "utf-8")
    found = repository_examples([tmp_path / "plain"], 100, 20, 0, NOW).examples
    assert files(found) == ["b.py", "c.py", "a.py"]


def test_a_project_that_is_gone_or_none_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "a.py").write_text(module("a"), "utf-8")
    found = repository_examples([tmp_path / "gone", tmp_path / "me", tmp_path], 10, 10, 0, NOW)
    assert (found.examples, found.dropped) == ([], {Dropped.PROJECT_GONE: 1, Dropped.NO_PROJECT: 2})


def test_nothing_that_a_repository_brings_is_run(repository: Repository, tmp_path: Path) -> None:
    """A cloned repository cannot set these, but a copied folder can; each of them would leave a mark."""
    repository.write("a.py", module("a"))
    repository.write(".gitattributes", "*.py filter=evil diff=evil\n")
    repository.commit(NOW - DAY)
    mark = tmp_path / "was run"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{mark}'\ncat\n", "utf-8")
    evil.chmod(0o755)
    for name in ("filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "diff.evil.command",
                 "diff.external", "core.fsmonitor", "core.pager", "gpg.program"):  # fmt: skip
        repository.git("config", name, str(evil))
    repository.git("config", "log.showSignature", "true")
    sign = "echo '-----BEGIN PGP SIGNATURE-----'\nprintf '\\n[GNUPG:] SIG_CREATED D\\n' >&2\n"
    evil.write_text(f"#!/bin/sh\ntouch '{mark}'\n{sign}", "utf-8")
    repository.git("commit", "-q", "--allow-empty", "-S", "-m", "signed")
    mark.unlink()
    (repository.root / "a.py").write_text(module("a") + "later = 1\n", "utf-8")
    assert repository.examples().examples
    assert not mark.exists()
    # The mark works: git's everyday command does run them.
    subprocess.run(["git", "diff"], cwd=repository.root, capture_output=True, check=False)
    assert mark.exists()


def test_generic_code_is_the_standard_library_with_its_licence() -> None:
    found = replay_examples(50, 0, PrivacyFilter(()))
    assert len(found) == 50
    for example in found:
        name = example.file.removeprefix("stdlib:")
        text = (standard_library() / name).read_text("utf-8")
        assert example.target.split("\n")[0] in text
        assert "site-packages" not in name and "/test" not in name
        assert example.source is Source.REPLAY and example.at == 0.0
    assert found == replay_examples(50, 0, PrivacyFilter(())) != replay_examples(50, 1, PrivacyFilter(()))
    assert LICENCE in origin()


def test_with_the_real_vocabulary_an_example_is_a_prompt_and_a_target_that_ends(qwen: Path) -> None:
    model = Model(qwen, gpu_layers=0, repack=False, log=Log())
    try:
        vocabulary = model.vocabulary
        for example in replay_examples(40, 0, PrivacyFilter(())):
            encoded = encode(example.prompt, vocabulary, 512)
            assert encoded.size <= 512 and encoded.layout == "psm-1"
            target = encode_target(example.target, vocabulary, ends=example.ends)
            assert (target[-1] == vocabulary.end) is example.ends
            pieces = b"".join(vocabulary.piece(token) for token in target if token != vocabulary.end)
            assert pieces.decode() == example.target
    finally:
        model.close()
