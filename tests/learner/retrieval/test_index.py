"""The workspace index: real files, a real database, a real watcher."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from learner.privacy import PrivacyFilter
from learner.retrieval.index import MOST_BYTES, ROWS, Index, nearest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


@pytest.fixture
def opened(root: Path, tmp_path: Path) -> Iterator[Callable[..., Index]]:
    """Start indexes of the project that have seen every file; they are closed at the end."""
    started: list[Index] = []

    def start(watch: bool = False) -> Index:
        index = Index(root, tmp_path / "indexes", PrivacyFilter([root]))
        index.start(watch=watch)
        started.append(index)
        assert index.usable.wait(PATIENCE_S)
        return index

    yield start
    for index in started:
        index.close()


def write(root: Path, name: str, text: str = "def fetch_invoice(customer):\n    pass\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(index: Index, *terms: str) -> set[str]:
    return {hit.path for hit in index.search(terms or ("invoice",), 50)}


def wait_for(index: Index, expected: set[str], *terms: str) -> None:
    """Wait until the search finds the files; the writer and the watcher have threads of their own."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 20):
        if paths(index, *terms) == expected:
            return
        pause.wait(0.05)
    assert paths(index, *terms) == expected


def test_words_of_identifiers_are_found_however_they_are_joined(
    root: Path, opened: Callable[..., Index]
) -> None:
    write(root, "a.py", "fetchInvoice()")
    write(root, "b.py", "FETCH_INVOICE = 1")
    write(root, "c.py", "prefetched")
    assert paths(opened(), "invoice") == {"a.py", "b.py"}


def test_a_hit_names_the_piece_with_most_in_common(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "a.py", "alpha\n" * 3 * ROWS + "invoice customer\n")
    write(root, "b.py", "invoice alpha\n")
    first = opened().search(("invoice", "customer"), 5)[0]
    assert (first.path, first.line) == ("a.py", 3 * ROWS)


def test_the_best_match_comes_first_wherever_it_stands(root: Path, opened: Callable[..., Index]) -> None:
    for number in range(5):
        write(root, f"a{number}.py", "fetch = customer\n")
    write(root, "z.py", "fetch(customer, invoice)\n")
    index = opened()
    assert [hit.path for hit in index.search(["customer", "invoice", "fetch"], 1)] == ["z.py"]


def test_definitions_are_found_by_name(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "src/a.py", "import b\n\nclass Order:\n    def total(self): ...\n")
    index = opened()
    assert [(hit.path, hit.line) for hit in index.symbols("Order")] == [("src/a.py", 2)]
    assert [(hit.path, hit.line) for hit in index.symbols("total")] == [("src/a.py", 3)]


def test_only_sources_that_may_be_read_are_indexed(
    root: Path, opened: Callable[..., Index], tmp_path: Path
) -> None:
    outside = write(tmp_path, "outside.py")
    write(root, "good.py")
    write(root, ".gitignore", "ignored.py\nbuild/\n")
    write(root, "sub/.gitignore", "nested.py\n")
    unwanted = ["ignored.py", "build/a.py", "sub/nested.py", ".env", "id_rsa", "server.key", "secrets.py"]
    unwanted += ["yarn.lock", "a.min.js", ".git/config", "node_modules/a/a.js", "go.sum"]
    for name in unwanted:
        write(root, name)
    write(root, "large.py", "invoice\n" * (MOST_BYTES // 8 + 1))
    write(root, "packed.js", "invoice " * 1000)
    (root / "binary.py").write_bytes(b"invoice\0")
    (root / "latin.py").write_bytes(b"invoice \xe9")
    (root / "link.py").symlink_to(outside)
    assert paths(opened()) == {"good.py"}


def test_the_database_is_private_and_holds_no_text(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "a.py", "token = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'")
    index = opened()
    assert index.file.stat().st_mode & 0o777 == 0o600
    assert index.file.parent.stat().st_mode & 0o777 == 0o700
    files = index.file.parent.glob(f"{index.file.name}*")
    content = b"".join(file.read_bytes() for file in files)
    assert b"token" in content
    assert b"16C7e42F292c" not in content


def test_a_changed_file_is_read_again_and_a_deleted_one_forgotten(
    root: Path, opened: Callable[..., Index]
) -> None:
    changed, deleted = write(root, "a.py"), write(root, "b.py")
    index = opened()
    assert paths(index) == {"a.py", "b.py"}
    changed.write_text("class Payment:\n    pass\n")
    index.update(changed)
    wait_for(index, {"a.py"}, "payment")
    deleted.unlink()
    index.update(deleted)
    wait_for(index, set())
    assert index.symbols("fetch_invoice") == []


def test_the_watcher_sees_what_other_programs_write(root: Path, opened: Callable[..., Index]) -> None:
    index = opened(watch=True)
    pause = threading.Event()
    for attempt in range(PATIENCE_S * 2):  # A write before the watcher listens goes unseen.
        write(root, "new.py", f"invoice = {attempt}\n")
        pause.wait(0.5)
        if paths(index):
            break
    assert paths(index) == {"new.py"}


def test_a_later_start_takes_up_what_happened_in_between(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "kept.py")
    gone = write(root, "gone.py")
    opened().close()
    gone.unlink()
    write(root, "new.py")
    assert paths(opened()) == {"kept.py", "new.py"}


def test_a_file_that_becomes_ignored_is_forgotten(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "a.py")
    opened().close()
    write(root, ".gitignore", "a.py\n")
    assert paths(opened()) == set()


def test_two_servers_share_one_index(root: Path, opened: Callable[..., Index]) -> None:
    for number in range(60):
        write(root, f"{number}.py")
    first, second = opened(), opened()
    path = write(root, "0.py", "payment\n")
    first.update(path)
    second.update(path)
    wait_for(second, {"0.py"}, "payment")
    assert paths(first, "invoice") <= {f"{number}.py" for number in range(1, 60)}
    with sqlite3.connect(first.file) as database:
        assert database.execute("select count(*) from files").fetchone() == (60,)


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_index_is_built_again(root: Path, opened: Callable[..., Index], damage: bytes) -> None:
    write(root, "a.py")
    index = opened()
    index.close()
    index.file.write_bytes(damage)
    assert paths(opened()) == {"a.py"}


def test_an_index_of_another_version_is_built_again(root: Path, opened: Callable[..., Index]) -> None:
    write(root, "a.py")
    index = opened()
    index.close()
    database = sqlite3.connect(index.file)
    database.executescript("drop table files; pragma user_version = 99")
    database.close()
    assert paths(opened()) == {"a.py"}


def test_an_index_that_is_not_there_yet_knows_nothing(root: Path, tmp_path: Path) -> None:
    index = Index(root, tmp_path / "indexes", PrivacyFilter([root]))
    assert index.search(["invoice"], 5) == [] and index.symbols("a") == []


def test_files_near_the_open_one_come_first() -> None:
    files = [Path("/r/a.py"), Path("/r/x/y/z.py"), Path("/r/x/b.py"), Path("/r/q/r/s.py")]
    order = nearest_first(files, Path("/r/x/open.py"))
    assert order == [Path("/r/x/b.py"), Path("/r/a.py"), Path("/r/x/y/z.py"), Path("/r/q/r/s.py")]


def test_the_writer_lets_others_run_after_each_piece(
    root: Path, opened: Callable[..., Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a piece takes: here each takes longer than a slice of time may be."""
    pauses: list[float] = []
    monkeypatch.setattr("learner.retrieval.index.SLICE_S", -1.0)
    monkeypatch.setattr("learner.retrieval.index.time.sleep", pauses.append)
    write(root, "long.py", "def fetch_invoice():\n" * 10 * ROWS)
    opened()
    assert len(pauses) >= 10
