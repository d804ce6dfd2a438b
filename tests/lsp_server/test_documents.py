"""The document's text is the client's, whatever the client's positions mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learner.place import split_lines
from lsp_server.documents import Document, Point, Workspace, path_of
from lsp_server.positions import PositionEncoding, column_of, units_of

ENCODINGS = list(PositionEncoding)
TEXT = st.text(st.sampled_from("ab \t\r\n\0é€😀\ud83d\ude00א\u2028"), max_size=12)
ENDINGS = re.compile("\r\n|\r|\n")


def joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def size(text: str, encoding: PositionEncoding) -> int:
    """What a client counts ``text`` to be, character by character."""
    widths = {
        PositionEncoding.UTF8: lambda c: 1 + (c > 0x7F) + (c > 0x7FF) + (c > 0xFFFF),
        PositionEncoding.UTF16: lambda c: 1 + (c > 0xFFFF),
        PositionEncoding.UTF32: lambda c: 1,
    }
    return sum(widths[encoding](ord(character)) for character in text)


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    ends = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": ends[0], "end": ends[1]}, "text": text}


@st.composite
def places(draw: st.DrawFn, text: str, encoding: PositionEncoding) -> tuple[int, dict[str, int]]:
    """An index into ``text`` and its position, found without the code under test."""
    starts = [0, *(match.end() for match in ENDINGS.finditer(text))]
    line = draw(st.integers(0, len(starts) - 1))
    length = len(ENDINGS.split(text)[line])
    column = draw(st.integers(0, length))
    head = text[starts[line] : starts[line] + column]
    return starts[line] + column, {"line": line, "character": size(head, encoding)}


@given(st.data(), st.sampled_from(ENCODINGS), TEXT)
@settings(max_examples=400, deadline=None)
def test_edits_leave_the_clients_text(data: st.DataObject, encoding: PositionEncoding, text: str) -> None:
    document, text = Document("file:///a.py", text, encoding=encoding), joined(text)
    for _ in range(data.draw(st.integers(1, 6))):
        (low, start), (high, end) = sorted(
            (data.draw(places(text, encoding)), data.draw(places(text, encoding))), key=lambda place: place[0]
        )
        new = data.draw(TEXT)
        applied = document.apply({"range": {"start": start, "end": end}, "text": new})
        assert applied.removed == text[low:high]
        text = joined(text[:low] + new + text[high:])
        assert document.source == text
        assert document.lines == split_lines(text)
        assert document.length == len(text)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_positions_outside_move_to_the_edge(encoding: PositionEncoding) -> None:
    document = Document("file:///a", "é😀\r\nb", encoding=encoding)
    assert document.point_at({"line": 0, "character": 999}) == Point(0, 2)
    assert document.point_at({"line": 7, "character": 3}) == Point(1, 1)
    assert document.point_at({"line": -1, "character": 5}) == Point(0, 0)
    assert document.point_at({"line": 1, "character": -5}) == Point(1, 0)


@given(TEXT, st.sampled_from(ENCODINGS))
@settings(deadline=None)
def test_a_column_survives_the_way_to_units_and_back(text: str, encoding: PositionEncoding) -> None:
    line = joined(text)
    for column in range(len(line) + 1):
        assert units_of(line, column, encoding) == size(line[:column], encoding)
        assert column_of(line, units_of(line, column, encoding), encoding) == column


@pytest.mark.parametrize(
    ("encoding", "inside"), [(PositionEncoding.UTF16, (2,)), (PositionEncoding.UTF8, (2, 3, 4))]
)
def test_units_inside_a_character_mean_its_start(encoding: PositionEncoding, inside: tuple[int, ...]) -> None:
    assert [column_of("a😀b", units, encoding) for units in inside] == [1] * len(inside)


def test_a_range_given_backwards_is_the_same_range() -> None:
    document = Document("file:///a", "one two")
    document.apply(change((0, 7), (0, 3), "!"))
    assert document.source == "one!"


def test_a_change_without_a_range_is_the_whole_text() -> None:
    document = Document("file:///a", "old\ntext\n")
    applied = document.apply({"text": "new"})
    assert (document.source, applied.removed, applied.end) == ("new", "old\ntext\n", Point(2, 0))


@pytest.mark.parametrize(
    "event", [{}, {"text": 7}, {"text": "x", "range": {"start": {"line": "?"}}}, {"range": 1}]
)
def test_what_is_no_change_changes_nothing(event: dict[str, Any]) -> None:
    document = Document("file:///a", "kept")
    with pytest.raises((KeyError, TypeError, ValueError)):
        document.apply(event)
    assert document.source == "kept"


def test_halves_of_a_surrogate_pair_that_meet_are_one_character() -> None:
    document = Document("file:///a", "x\ud83dy")
    document.apply(change((0, 2), (0, 3), "\ude00"))
    assert document.source == "x😀"


def test_a_line_feed_typed_after_a_carriage_return_makes_one_ending() -> None:
    document = Document("file:///a", "a\rb")
    document.apply(change((1, 0), (1, 0), "\n"))
    assert document.lines == ["a\r\n", "b"]


def test_only_lsp_line_endings_end_lines() -> None:
    assert split_lines("a\u2028b\x0cc\x85d\r\ne\rf\n") == ["a\u2028b\x0cc\x85d\r\n", "e\r", "f\n", ""]


def test_a_copy_with_text_leaves_the_document_alone() -> None:
    document = Document("file:///a", "ab\ncd")
    copy = document.with_text(Point(0, 1), Point(1, 1), "\n\n")
    assert (document.source, copy.source, copy.length) == ("ab\ncd", "a\n\nd", 4)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b/c.py", Path("/a b/c.py")),
        ("file://localhost/a.py", Path("/a.py")),
        ("untitled:Untitled-1", None),
        ("file:///a%00b", None),
        ("file://[", None),
        ("", None),
    ],
)
def test_only_file_uris_name_files(uri: str, path: Path | None) -> None:
    assert path_of(uri) == path


def test_a_document_belongs_to_its_innermost_folder() -> None:
    workspace = Workspace()
    workspace.add_folder("file:///home/me/all")
    workspace.add_folder("file:///home/me/all/app")
    inner = workspace.open("file:///home/me/all/app/x.py", "", "python", 1)
    untitled = workspace.open("untitled:1", "", "python", 1)
    assert workspace.folder_of(inner) == Path("/home/me/all/app")
    assert workspace.folder_of(untitled) is None
    workspace.remove_folder("file:///home/me/all/app")
    assert workspace.folder_of(inner) == Path("/home/me/all")
