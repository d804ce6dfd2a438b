"""Downloads against a real HTTP server: a model appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections import namedtuple
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from model_server import CONTENT, HEADER, ON_HUB, Notes, drop_after, files, send, serve_ranges, tiny

from models import sources
from models.catalogue import HubFile, ModelError
from models.download import FRUITLESS_ATTEMPTS, fetch_patiently, get
from models.sources import UnreachableError

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler


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
