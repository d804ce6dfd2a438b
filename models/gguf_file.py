"""A look at a GGUF file's header, without loading the model: is it one, and is it whole?

Format: llama.cpp's ``ggml/include/gguf.h`` (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.catalogue import ModelError

if TYPE_CHECKING:
    from pathlib import Path

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


@dataclass(frozen=True)
class Header:
    architecture: str
    name: str
    """What the file calls the model; may be empty."""
    tensors: int


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
        values = {}
        for _ in range(entries):
            key = self.string()
            values[key] = self.value(self.integer("I"))
        self.check_length(tensors, int(values.get("general.alignment") or ALIGNMENT))
        architecture, name = values.get("general.architecture"), values.get("general.name")
        return Header(str(architecture or ""), str(name or ""), tensors)

    def check_length(self, tensors: int, alignment: int) -> None:
        """Compare the file's length with the place where its last tensor starts."""
        last = 0
        for _ in range(tensors):
            self.string()
            dimensions = self.integer("I")
            self.at += 8 * dimensions + 4
            last = max(last, self.integer("Q"))
        start = -(-self.at // alignment) * alignment
        if tensors and len(self.content) <= start + last:
            raise EOFError(
                f"it has {len(self.content):,} bytes, and its last tensor starts at {start + last:,}"
            )

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

    def value(self, kind: int) -> int | float | bool | str | None:
        """The value at this place; an array is passed over."""
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
