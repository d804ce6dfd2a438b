"""The text of each open file, kept equal to the client's, one edit at a time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from learner.place import split_lines
from lsp_server.positions import PositionEncoding, column_of, units_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SURROGATES = re.compile("[\ud800-\udfff]")


Range = dict[str, dict[str, int]]
"""An LSP range, in the client's units."""


@dataclass(frozen=True, order=True)
class Point:
    """A place between two characters: line and column from 0, the column in code points."""

    line: int
    column: int

    def after(self, text: str) -> Point:
        """Return where the cursor stands once ``text`` is inserted here."""
        lines = split_lines(text)
        if len(lines) == 1:
            return Point(self.line, self.column + len(text))
        return Point(self.line + len(lines) - 1, len(lines[-1]))


@dataclass(frozen=True)
class Change:
    """One edit, in code points of the text before it; both ends lie within the document."""

    start: Point
    end: Point
    removed: str
    text: str


def join_surrogates(text: str) -> str:
    """Return ``text`` with each surrogate pair as the one character it stands for; lone ones stay."""
    if text.isascii() or not _SURROGATES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def path_of(uri: str) -> Path | None:
    """Return the file that ``uri`` names, or None for an untitled buffer and other schemes."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or "\0" in unquote(parts.path):
        return None
    path = unquote(parts.path)
    if os.name == "nt":
        path = path.removeprefix("/")
    return Path(f"//{parts.netloc}{path}" if parts.netloc not in ("", "localhost") else path)


class Document:
    """An open text document; ``"".join(document.lines)`` is the client's text at all times.

    A change touches the changed lines only, so that a keystroke costs the same in any file.
    """

    def __init__(
        self,
        uri: str,
        source: str,
        *,
        language_id: str = "",
        version: int | None = None,
        encoding: PositionEncoding = PositionEncoding.UTF16,
    ) -> None:
        self.uri = uri
        self.language_id = language_id
        self.version = version
        self.encoding = encoding
        self.path = path_of(uri)
        self.lines = split_lines(join_surrogates(source))
        self.length = sum(map(len, self.lines))
        """Code points in all."""

    @property
    def source(self) -> str:
        return "".join(self.lines)

    @property
    def end(self) -> Point:
        return Point(len(self.lines) - 1, len(self.lines[-1]))

    def line_text(self, line: int) -> str:
        """Return a line without its ending."""
        return self.lines[line].rstrip("\r\n")

    def point_at(self, position: Mapping[str, Any]) -> Point:
        """Return the place of an LSP position; what lies outside the document is moved to its edge.

        Raises:
            ValueError, KeyError, TypeError: ``position`` is no position.
        """
        line, units = int(position["line"]), int(position["character"])
        if line >= len(self.lines):
            return self.end
        if line < 0:
            return Point(0, 0)
        return Point(line, column_of(self.line_text(line), units, self.encoding))

    def clamp(self, point: Point) -> Point:
        """Return ``point``, or the nearest place within the document."""
        line = min(point.line, len(self.lines) - 1)
        return Point(line, min(point.column, len(self.line_text(line))))

    def position_of(self, point: Point) -> dict[str, int]:
        """Return the LSP position of a place in the document."""
        return {
            "line": point.line,
            "character": units_of(self.lines[point.line], point.column, self.encoding),
        }

    def range_of(self, start: Point, end: Point) -> Range:
        return {"start": self.position_of(start), "end": self.position_of(end)}

    def apply(self, event: Mapping[str, Any]) -> Change:
        """Apply one content change of ``textDocument/didChange``: ``{range, text}``, or the whole ``{text}``.

        Raises:
            ValueError, KeyError, TypeError: ``event`` is no change; the document is as before.
        """
        text = event["text"]
        if not isinstance(text, str):
            raise TypeError(f"text of a change is {type(text).__name__}, not a string")
        span = event.get("range")
        if span is None:
            return self.replace(Point(0, 0), self.end, text)
        ends = sorted((self.point_at(span["start"]), self.point_at(span["end"])))
        return self.replace(ends[0], ends[1], text)

    def replace(self, start: Point, end: Point, text: str) -> Change:
        """Put ``text`` in place of what stands from ``start`` to ``end``, both within the document."""
        removed = self.text_between(start, end)
        first, head = start.line, self.lines[start.line][: start.column]
        if not head and first and self.lines[first - 1].endswith("\r"):
            # A "\n" that comes to stand after this "\r" makes one line ending of the two.
            first, head = first - 1, self.lines[first - 1]
        pieces = split_lines(join_surrogates(head + text + self.lines[end.line][end.column :]))
        if end.line < len(self.lines) - 1:
            pieces.pop()  # the empty rest after the last piece's line ending: that line exists already
        self.length += sum(map(len, pieces)) - sum(map(len, self.lines[first : end.line + 1]))
        self.lines[first : end.line + 1] = pieces
        return Change(start, end, removed, text)

    def text_between(self, start: Point, end: Point) -> str:
        if start.line == end.line:
            return self.lines[start.line][start.column : end.column]
        middle = self.lines[start.line + 1 : end.line]
        return "".join([self.lines[start.line][start.column :], *middle, self.lines[end.line][: end.column]])

    def with_text(self, start: Point, end: Point, text: str) -> Document:
        """Return a copy in which ``text`` stands from ``start`` to ``end``; the document stays as it is."""
        copy = Document.__new__(Document)
        copy.__dict__.update(self.__dict__)
        copy.lines = self.lines.copy()
        copy.replace(start, end, text)
        return copy


class Workspace:
    """The open documents and the workspace folders, under the URIs that the client gave them."""

    def __init__(self, encoding: PositionEncoding = PositionEncoding.UTF16) -> None:
        self.encoding = encoding
        self._documents: dict[str, Document] = {}
        self._folders: dict[str, Path] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents.values())

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(self._folders.values())

    def get(self, uri: str) -> Document | None:
        return self._documents.get(unquote(uri))

    def open(self, uri: str, text: str, language_id: str, version: int | None) -> Document:
        document = Document(uri, text, language_id=language_id, version=version, encoding=self.encoding)
        self._documents[unquote(uri)] = document
        return document

    def close(self, uri: str) -> Document | None:
        return self._documents.pop(unquote(uri), None)

    def add_folder(self, uri: str) -> None:
        if (path := path_of(uri)) is not None:
            self._folders[unquote(uri)] = path

    def remove_folder(self, uri: str) -> None:
        self._folders.pop(unquote(uri), None)

    def folder_of(self, document: Document) -> Path | None:
        """Return the innermost workspace folder that holds the document's file."""
        path = document.path
        holding = [folder for folder in self.folders if path is not None and path.is_relative_to(folder)]
        return max(holding, key=lambda folder: len(folder.parts), default=None)
