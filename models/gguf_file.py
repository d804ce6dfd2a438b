"""A GGUF file's header, read without loading the model: is it one, is it whole, and what does it hold?

Format: llama.cpp's ``ggml/include/gguf.h`` (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models.catalogue import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


Value = int | float | bool | str | None
"""A metadata value; None for an array, which is passed over."""


@dataclass(frozen=True)
class TensorPlace:
    """Where a tensor is in the file, and what it is."""

    shape: tuple[int, ...]
    """The fastest dimension last: (out, in) for a matrix."""
    kind: int
    """``GGMLQuantizationType``."""
    start: int
    """The first byte's offset in the file."""


@dataclass(frozen=True)
class Header:
    values: Mapping[str, Value]
    """The metadata."""
    tensors: Mapping[str, TensorPlace]

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture") or "")

    @property
    def name(self) -> str:
        """What the file calls the model; may be empty."""
        return str(self.values.get("general.name") or "")


def read_header(path: Path) -> Header:
    """Return what ``path`` says of itself.

    Raises:
        ModelError: the file is missing, no GGUF, or shorter than its header promises.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:4] != b"GGUF":
                raise ModelError(
                    f"{path} is no GGUF model: it starts with {bytes(content[:4])!r}, not b'GGUF'"
                )
            return HeaderReader(content).read()
    except (struct.error, KeyError, OverflowError, UnicodeDecodeError):
        raise ModelError(f"{path} is damaged: its header cannot be read; get the file again") from None
    except EOFError as error:
        raise ModelError(f"{path} is cut short: {error}; get the file again") from None
    except ValueError:
        raise ModelError(f"{path} is empty; get the file again") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None


class HeaderReader:
    """Walks the header from front to back."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.at = 4

    def read(self) -> Header:
        version, tensors, entries = self.integer("I"), self.integer("Q"), self.integer("Q")
        if version not in (2, 3):
            raise KeyError(version)
        values: dict[str, Value] = {}
        for _ in range(entries):
            key = self.string()
            values[key] = self.value(self.integer("I"))
        return Header(values, self.places(tensors, int(values.get("general.alignment") or ALIGNMENT)))

    def places(self, tensors: int, alignment: int) -> dict[str, TensorPlace]:
        """Read where the tensors are; the file must be long enough for the last one to start in it."""
        found = {}
        for _ in range(tensors):
            name = self.string()
            shape = tuple(self.integer("Q") for _ in range(self.integer("I")))
            found[name] = TensorPlace(shape[::-1], self.integer("I"), self.integer("Q"))
        start = -(-self.at // alignment) * alignment
        last = max((place.start for place in found.values()), default=-1)
        if found and len(self.content) <= start + last:
            raise EOFError(
                f"it has {len(self.content):,} bytes, and its last tensor starts at {start + last:,}"
            )
        return {name: replace(place, start=start + place.start) for name, place in found.items()}

    def scalar(self, code: str) -> int | float | bool:
        (value,) = struct.unpack_from(f"<{code}", self.content, self.at)
        self.at += struct.calcsize(f"<{code}")
        return value

    def integer(self, code: str) -> int:
        return int(self.scalar(code))

    def string(self) -> str:
        length = self.integer("Q")
        self.at += length
        return self.content[self.at - length : self.at].decode()

    def value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.scalar(SCALARS[kind])
        item, count = self.integer("I"), self.integer("Q")
        if item != STRING:
            self.at += count * struct.calcsize(f"<{SCALARS[item]}")
            return None
        for _ in range(count):
            self.at += 8 + struct.unpack_from("<Q", self.content, self.at)[0]
        return None
