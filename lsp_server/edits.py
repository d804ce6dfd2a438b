"""What kind of edit a document change is: typing, paste, undo, formatter, reload, bulk.

LSP tells only what changed. A return to an earlier state of the document is an undo or a redo; the other
kinds are told by the shape of the change and of its neighbours in the same notification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from lsp_server.anchors import Position, end_of
from lsp_server.matching import blank_apart, common_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.documents import Change, Document

BURST = 3
"""Characters that a client may bundle into one change while somebody types."""
REMEMBERED_STATES = 512
SLIDE = 64
"""Code points by which an ambiguous insertion or deletion is looked for beside the reported place."""
RELOAD_LINES = 10
FILTER_S = 1.0
"""The time between the two halves of a replacement that an editor makes of an insertion and a deletion."""

_ENTER = re.compile(r"[ \t]*\n[ \t]*(\n[ \t]*)?\Z")
"""The Enter key with the editor's indentation, possibly between two brackets."""
_MENU_ITEM = re.compile(r"[\w.$@:!?<>]{1,60}(\([\w, =]*\))?;?\Z")
"""What a completion menu inserts."""
PAIRS = ("()", "[]", "{}", '""', "''", "``", "<>", '""""""', "''''''")


class Kind(StrEnum):
    TYPING = "typing"
    """Characters, Enter with its indentation, brackets that close themselves; at several cursors too."""
    MENU = "menu"
    """An entry of the editor's own completion menu."""
    OFFER = "offer"
    """An accepted offer's text."""
    DELETION = "deletion"
    UNDO = "undo"
    """The document returned to an earlier state: undo, redo, or the same by hand."""
    PASTE = "paste"
    FORMAT = "format"
    RENAME = "rename"
    RELOAD = "reload"
    """The file changed outside the editor."""
    BULK = "bulk"
    """Many places at once, by an agent or a command."""


BY_HAND = frozenset({Kind.TYPING, Kind.MENU, Kind.OFFER, Kind.DELETION})
"""What the developer writes; the rest neither types nor corrects anything."""


@dataclass(slots=True)
class Edit:
    """One change, without what it left as it was; lines end with a line feed."""

    start: Position
    end: Position
    new_end: Position
    removed: str
    text: str
    at: float
    """Unix time."""
    was: int
    """The document's state before it."""
    state: int
    """The document's state after it: the same number whenever the same text stands in it."""
    seen: bool
    """The document had been in that state before."""
    slides: dict[Position, int]
    """Other starts at which the same insertion or deletion would have had the same effect, and how far its
    text rotates to begin there."""
    kind: Kind = Kind.TYPING
    """Known once the whole notification is."""
    instead: str = ""
    """What was inserted right behind a deletion just before, to stand in its place."""

    @property
    def replacement(self) -> Edit:
        """The insertion just before and this deletion as one edit."""
        if not self.instead:
            return self
        return replace(self, text=self.instead, new_end=end_of(self.start, self.instead), instead="")

    def slid_to(self, start: Position) -> Edit:
        """Return the same edit as if made at another of its ``slides``."""
        text = self.text or self.removed
        turn = self.slides[start] % len(text)
        text = text[turn:] + text[:turn]
        removed, inserted = (text, "") if self.removed else ("", text)
        end, new_end = end_of(start, removed), end_of(start, inserted)
        states = (self.was, self.state, self.seen)
        return Edit(start, end, new_end, removed, inserted, self.at, *states, {}, self.kind)


class Mirror:
    """A document's lines one edit behind, to see what an edit did and which states come back.

    A state's number stands for a sum over the hashes of neighbouring lines, kept up to date by the changed
    lines only.
    """

    def __init__(self, document: Document) -> None:
        self.lines = [line.rstrip("\r\n") for line in document.lines]
        self._sum = self._hash(0, len(self.lines))
        self.state = 0
        self._states = {self._sum: 0}
        self._newest = 0

    def matches(self, document: Document) -> bool:
        return len(self.lines) == len(document.lines)

    def apply(self, change: Change, at: float) -> Edit | None:
        """Apply one change and return it as an edit; None where it leaves the text as it was."""
        removed, text = _unix(change.removed), _unix(change.text)
        if removed == text:
            return None
        start, removed, text = _trimmed((change.start.line, change.start.column), removed, text)
        end, new_end = end_of(start, removed), end_of(start, text)
        self._splice(start, end, text)
        seen, was = self._sum in self._states, self.state
        self._enter_state()
        slides = {} if removed and text else self._slides(start, new_end, removed or text)
        return Edit(start, end, new_end, removed, text, at, was, self.state, seen, slides)

    def text_of(self, start: Position, end: Position) -> str:
        if start[0] == end[0]:
            return self.lines[start[0]][start[1] : end[1]]
        middle = self.lines[start[0] + 1 : end[0]]
        return "\n".join([self.lines[start[0]][start[1] :], *middle, self.lines[end[0]][: end[1]]])

    def _splice(self, start: Position, end: Position, text: str) -> None:
        first, last = start[0], end[0]
        self._sum -= self._hash(first, last + 1)
        joined = self.lines[first][: start[1]] + text + self.lines[last][end[1] :]
        pieces = joined.split("\n")
        self.lines[first : last + 1] = pieces
        self._sum += self._hash(first, first + len(pieces))

    def _hash(self, first: int, after: int) -> int:
        """Sum over each line of a range with the line before it, and of the line behind the range."""
        lines = self.lines
        above = lines[first - 1] if first else None
        total = 0
        for line in lines[first : after + 1]:
            total += hash((above, line))
            above = line
        return total

    def _enter_state(self) -> None:
        number = self._states.get(self._sum)
        if number is None:
            self._newest = number = self._newest + 1
            self._states[self._sum] = number
            if len(self._states) > REMEMBERED_STATES:
                del self._states[next(iter(self._states))]
        self.state = number

    def _slides(self, start: Position, new_end: Position, moving: str) -> dict[Position, int]:
        """Return where else the same insertion or deletion would have given the same text.

        Clients that compare lines report an insertion as far right as it will go.
        """
        slides: dict[Position, int] = {}
        place, size = start, len(moving)
        for step in range(SLIDE):
            back = self._before(place)
            if back is None or back[1] != moving[-1 - step % size]:
                break
            place = back[0]
            slides[place] = -1 - step
        place, ahead = start, new_end
        for step in range(SLIDE):
            character = self._at(ahead)
            if character is None or character != moving[step % size]:
                break
            place, ahead = end_of(place, character), end_of(ahead, character)
            slides[place] = step + 1
        return slides

    def _before(self, place: Position) -> tuple[Position, str] | None:
        line, column = place
        if column:
            return (line, column - 1), self.lines[line][column - 1]
        return ((line - 1, len(self.lines[line - 1])), "\n") if line else None

    def _at(self, place: Position) -> str | None:
        line, column = place
        if column < len(self.lines[line]):
            return self.lines[line][column]
        return "\n" if line + 1 < len(self.lines) else None


def classify(edits: Sequence[Edit], changes: Sequence[Change], lines: int, before: Edit | None) -> None:
    """Set the kind of each edit of one notification.

    ``lines`` is the document's length after it, ``before`` the last edit of the notification before.
    """
    _set_kinds(edits, changes, lines)
    for earlier, edit in pairwise([before, *edits]):
        if earlier and edit and (text := _filtered(earlier, edit)):
            edit.instead = text
            edit.kind = Kind.FORMAT if blank_apart(edit.removed, text) else Kind.BULK


def _filtered(earlier: Edit, edit: Edit) -> str:
    """Return what ``earlier`` inserted right behind the lines that ``edit`` deletes, else nothing.

    So Neovim sends lines through a program (``gq``, ``!``): it reads the new ones in below the old, then
    deletes those.
    """
    lines = edit.removed.endswith("\n") and not edit.text and earlier.text.count("\n") and not earlier.removed
    if not lines or abs(edit.at - earlier.at) > FILTER_S:
        return ""
    if edit.end in earlier.slides:
        return earlier.slid_to(edit.end).text
    return earlier.text if edit.end == earlier.start else ""


def _set_kinds(edits: Sequence[Edit], changes: Sequence[Change], lines: int) -> None:
    if not edits:
        return
    if edits[-1].seen and any(len(e.removed) > 1 or len(e.text) > 1 for e in edits):
        kind = Kind.UNDO
    elif _is_chain(edits):
        for edit in edits:
            edit.kind = _kind_of_one(edit, lines)
        return
    else:
        kind = _kind_of_many(edits, changes, lines)
    for edit in edits:
        edit.kind = kind


def _is_chain(edits: Sequence[Edit]) -> bool:
    """Whether each edit goes on where the one before it ended, as keys do that a client bundles."""
    return all(before.start <= edit.end and edit.start <= before.new_end for before, edit in pairwise(edits))


def _kind_of_one(edit: Edit, lines: int) -> Kind:
    removed, text = edit.removed, edit.text
    if edit.seen and (len(removed) > 1 or len(text) > 1):
        return Kind.UNDO
    if not text:
        return Kind.DELETION
    if is_key(text) and "\n" not in removed:
        return Kind.TYPING
    if blank_apart(removed, text):
        return Kind.FORMAT
    touched = removed.count("\n") + 1
    if touched > RELOAD_LINES and 2 * max(touched, text.count("\n") + 1) >= lines:
        return Kind.RELOAD
    if "\n" in removed:
        return Kind.BULK
    if _MENU_ITEM.match(text):
        return Kind.MENU
    return Kind.PASTE


def _kind_of_many(edits: Sequence[Edit], changes: Sequence[Change], lines: int) -> Kind:
    replaced = {(change.removed, change.text) for change in changes}
    if len(replaced) == 1:
        (removed, text) = next(iter(replaced))
        if removed and len(text) > 1 and len(removed.split()) == 1:
            return Kind.RENAME
    cursors = len({edit.start[0] for edit in edits}) == len(edits)
    if len({(edit.removed, edit.text) for edit in edits}) == 1 and (cursors or edits[0].text.strip()):
        return _kind_of_one(edits[0], lines)
    if all(is_key(edit.text) and len(edit.removed) <= BURST for edit in edits):
        return Kind.FORMAT if all(blank_apart(e.removed, e.text) for e in edits) else Kind.TYPING
    if all(blank_apart(edit.removed, edit.text) for edit in edits):
        return Kind.FORMAT
    return Kind.BULK


def is_key(text: str) -> bool:
    """Whether one key press, or a few in a row, can have inserted ``text``."""
    if len(text) <= BURST and "\n" not in text:
        return True
    return text in PAIRS or not text.strip(" \t") or bool(_ENTER.match(text))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _trimmed(start: Position, removed: str, text: str) -> tuple[Position, str, str]:
    """Leave out what an edit's two texts have in common, at the front first."""
    front = common_prefix(removed, text)
    if front:
        start, removed, text = end_of(start, removed[:front]), removed[front:], text[front:]
    back = common_prefix(removed[::-1], text[::-1])
    if back:
        removed, text = removed[:-back], text[:-back]
    return start, removed, text
