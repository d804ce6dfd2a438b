"""Where a span goes when a formatter, reload or other large edit passes over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.anchors import Span, end_of, offset_of
from lsp_server.matching import blank_apart

if TYPE_CHECKING:
    from lsp_server.edits import Edit

_CONTEXT = 40
"""Code points before a span by which it is found again, if the beginning of its line alone is not enough."""


def carried_through(span: Span, edit: Edit) -> Span | None:
    """Return the span where an edit that replaced it put the same text, or None where it did not."""
    if blank_apart(edit.removed, edit.text):
        return _reshaped(span, edit)
    return _found_again(span, edit)


def _reshaped(span: Span, edit: Edit) -> Span:
    """Follow an edit that changed white space only, by counting the rest."""
    head = tail = ""
    if span.start >= edit.start:
        first = _same_place(edit, span.start)
        first = _blanks_behind(edit.text, first) if span.text.strip() else first
        start = end_of(edit.start, edit.text[:first])
    else:
        head, first, start = span.text[: offset_of(span.start, span.text, edit.start)], 0, span.start
    if span.end <= edit.end:
        last = max(first, _same_place(edit, span.end))
    else:
        tail, last = span.text[offset_of(span.start, span.text, edit.end) :], len(edit.text)
    text = head + edit.text[first:last] + tail
    return span._replace(start=start, end=end_of(start, text), text=span.text if span.frozen else text)


def _found_again(span: Span, edit: Edit) -> Span | None:
    """Look for the span's text and what stood before it in the new text."""
    if span.start < edit.start or span.end > edit.end:
        return None
    at = offset_of(edit.start, edit.removed, span.start)
    line = edit.removed.rfind("\n", 0, at) + 1
    if not line:
        # The edit begins within the span's own line: elsewhere in it no line begins like this one.
        stays = edit.text.startswith(edit.removed[:at] + span.text)
        return span if stays else None
    for first in (max(0, line - 1), max(0, line - _CONTEXT)):
        before = edit.removed[first:at]
        if (before + span.text).strip() and edit.text.count(before + span.text) == 1:
            start = end_of(edit.start, edit.text[: edit.text.index(before + span.text) + len(before)])
            return span._replace(start=start, end=end_of(start, span.text))
    return None


def _same_place(edit: Edit, position: tuple[int, int]) -> int:
    """Return the index in the new text behind as many visible characters as stood before ``position``,
    and behind as many blanks after them as there still are."""
    before = edit.removed[: offset_of(edit.start, edit.removed, position)]
    visible, blanks = len("".join(before.split())), before[len(before.rstrip()) :]
    index = 0
    while visible:
        visible -= not edit.text[index].isspace()
        index += 1
    for blank in blanks:
        index += edit.text[index : index + 1] == blank
    return index


def _blanks_behind(text: str, index: int) -> int:
    while index < len(text) and text[index].isspace():
        index += 1
    return index
