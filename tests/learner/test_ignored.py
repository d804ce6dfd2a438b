"""What an editor was told to ignore reaches the night."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from learner.ignored import keep_globs, kept_globs

if TYPE_CHECKING:
    from pathlib import Path


def test_each_folders_latest_globs_count(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ignored.json"
    assert kept_globs(path) == ()
    keep_globs(path, [tmp_path / "a", tmp_path / "b"], ["*.sql", "gen/"])
    keep_globs(path, [], ["notes/é"])
    keep_globs(path, [tmp_path / "b"], ["*.sql"])
    keep_globs(path, [tmp_path / "a"], [])
    assert kept_globs(path) == ("*.sql", "notes/é")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "ignored.json"
    keep_globs(path, [tmp_path], [])
    assert not path.exists()
    keep_globs(path, [tmp_path], ["x"])
    written = path.stat().st_mtime_ns
    keep_globs(path, [tmp_path], ["x"])
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1, "b": ["x", 2]}', "\0"])
def test_a_damaged_file_says_what_it_can(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ignored.json"
    path.write_text(content)
    assert kept_globs(path) == (("x",) if "x" in content else ())
    keep_globs(path, [], ["y"])
    assert "y" in kept_globs(path)


def test_where_it_cannot_be_written_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    keep_globs(tmp_path / "file" / "ignored.json", [], ["x"])
    assert "may learn from ignored files" in caplog.text
