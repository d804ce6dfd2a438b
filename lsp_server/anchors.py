"""Ranges that move with a document's edits and keep the text that stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lsp_server.edits import Edit

Position = tuple[int, int]
"""Line and column in code points, from 0."""

LONGEST = 4000
"""Code points that a span keeps; what is inserted beyond them is not followed."""


class Span(NamedTuple):
    """A range and its text, as they stand after one edit. Lines in ``text`` end with a line feed."""

    start: Position
    end: Position
    text: str
    shut: bool = False
    """What is inserted at the end no longer belongs to the span."""
    frozen: bool = False
    """The text is kept as it stood; only the range still moves."""
    cut: bool = False
    """Something was removed at the end, so that what is inserted there stands in its place."""
    beheaded: bool = False
    """The same at the start."""


class Growth(NamedTuple):
    """Which insertions at a span's edges belong to it."""

    at_start: bool
    at_end: bool
    newlines: int
    """Line breaks that the text may have; what is appended after one more is left outside."""


def end_of(start: Position, text: str) -> Position:
    """Return where ``text`` ends when it stands at ``start``."""
    breaks = text.count("\n")
    if not breaks:
        return start[0], start[1] + len(text)
    return start[0] + breaks, len(text) - text.rfind("\n") - 1


def offset_of(start: Position, text: str, position: Position) -> int:
    """Return the index in ``text``, which stands at ``start``, of a position within it."""
    line, column = position[0] - start[0], position[1]
    if not line:
        return column - start[1]
    at = -1
    for _ in range(line):
        at = text.index("\n", at + 1)
    return at + 1 + column


def moved(position: Position, edit: Edit) -> Position:
    """Return where a position at or behind an edit's end is after it."""
    line, column = position
    if line != edit.end[0]:
        return line + edit.new_end[0] - edit.end[0], column
    return edit.new_end[0], column + edit.new_end[1] - edit.end[1]


def follow(span: Span, edit: Edit, growth: Growth) -> Span:
    """Return ``span`` after ``edit``; the same object where the edit lies behind it."""
    if edit.start > span.end:
        return span
    if edit.end < span.start:
        if edit.end[0] != span.start[0] and edit.end[0] == edit.new_end[0]:
            return span
        return span._replace(start=moved(span.start, edit), end=moved(span.end, edit))
    if edit.start == edit.end:
        return _inserted(span, edit, growth)
    return _replaced(span, edit, growth)


def _inserted(span: Span, edit: Edit, growth: Growth) -> Span:
    at_end = edit.start == span.end
    at_start = edit.start == span.start
    if at_start and not (growth.at_start or (at_end and not span.shut)):
        return span._replace(start=edit.new_end, end=moved(span.end, edit))
    if at_end and not at_start and (span.shut or not growth.at_end):
        return span
    if span.frozen:
        return span._replace(end=moved(span.end, edit))
    at = offset_of(span.start, span.text, edit.start)
    text = span.text[:at] + edit.text + span.text[at:]
    return _grown(span, text, growth.newlines if at_end else None)


def _replaced(span: Span, edit: Edit, growth: Growth) -> Span:
    """Follow an edit that removes text at, in or across the span."""
    if edit.end == span.start and edit.start < span.start:
        # Removed just before the span: what replaces it stands before the span too, unless nothing
        # of the offer's place is there yet and the developer goes on typing here.
        if growth.at_start and edit.text:
            return _grown(span._replace(start=edit.start), edit.text + span.text, growth.newlines)
        return span._replace(start=edit.new_end, end=moved(span.end, edit))
    if edit.start == span.end and edit.start > span.start and (span.shut or not growth.at_end):
        return span
    covers_start, covers_end = edit.start < span.start, edit.end >= span.end
    start = edit.start if covers_end else edit.new_end
    start = start if covers_start else span.start
    if span.frozen:
        end = edit.new_end if covers_end else moved(span.end, edit)
        return span._replace(start=start, end=max(start, end))
    head = "" if covers_start else span.text[: offset_of(span.start, span.text, edit.start)]
    tail = "" if covers_end else span.text[offset_of(span.start, span.text, edit.end) :]
    new = "" if covers_start and not covers_end else edit.text
    cut = span.cut or (covers_end and span.text != "")
    beheaded = span.beheaded or (edit.start == span.start and edit.removed != "")
    span = span._replace(start=start, cut=cut, beheaded=beheaded)
    return _grown(span, head + new + tail, growth.newlines if covers_end else None)


def _grown(span: Span, text: str, newlines: int | None) -> Span:
    """Give the span its new text, cut where it grew past its bounds."""
    shut = span.shut
    if newlines is not None and text.count("\n") > newlines:
        cut = -1
        for _ in range(newlines + 1):
            cut = text.index("\n", cut + 1)
        text, shut = text[:cut], True
    if len(text) > LONGEST:
        text, shut = text[:LONGEST], True
    return Span(span.start, end_of(span.start, text), text, shut, span.frozen, span.cut, span.beheaded)
