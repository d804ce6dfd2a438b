"""A span follows random edits as two markers that stand in the text do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.anchors import Growth, Span, end_of, follow
from lsp_server.documents import Document, Point
from lsp_server.edits import Mirror

OPEN, SHUT = "«", "»"
KEEP_ALL = Growth(at_start=False, at_end=True, newlines=10_000)
texts = st.text(alphabet="ab\n", max_size=30)


def point(text: str, index: int) -> Point:
    return Point(text.count("\n", 0, index), index - text.rfind("\n", 0, index) - 1)


class Marked:
    """The reference: a text with a marker before and one behind the span."""

    def __init__(self, before: str, inside: str, behind: str) -> None:
        self.text = before + OPEN + inside + SHUT + behind

    def replace(self, start: int, end: int, new: str) -> None:
        """Replace between indices of the plain text; what is inserted at the start stays before the span,
        what is inserted at the end goes into it, and what replaces both ends goes into it too."""
        first, last = self.text.index(OPEN), self.text.index(SHUT) - 1
        plain = self.text.replace(OPEN, "").replace(SHUT, "")
        head, tail = plain[:start], plain[end:]
        if end < first or (end == first and (start < first or first < last)) or start == end == first < last:
            first, last = first - end + start + len(new), last - end + start + len(new)
        elif start > last:
            pass
        elif start < first and end < last:
            first, last = start + len(new), last - end + start + len(new)
        else:
            first, last = (
                min(first, start),
                (start + len(new) if end >= last else last - end + start + len(new)),
            )
        plain = head + new + tail
        self.text = plain[:first] + OPEN + plain[first:last] + SHUT + plain[last:]

    @property
    def inside(self) -> str:
        return self.text[self.text.index(OPEN) + 1 : self.text.index(SHUT)]

    @property
    def start(self) -> int:
        return self.text.index(OPEN)


@given(texts, st.text(alphabet="ab\n", min_size=1, max_size=12), texts, st.data())
def test_a_span_follows_edits_as_markers_in_the_text_do(before: str, inside: str, behind: str, data):
    marked, text = Marked(before, inside, behind), before + inside + behind
    document = Document("file:///a.py", text)
    mirror = Mirror(document)
    here = point(text, len(before))
    span = Span((here.line, here.column), end_of((here.line, here.column), inside), inside)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, len(text)))
        change = document.replace(
            point(text, start), point(text, end), data.draw(st.text("xy\n", max_size=6))
        )
        edit = mirror.apply(change, 0.0)
        if edit is None:
            continue
        # The same edit without what it left as it was.
        lines = text.split("\n")
        first = sum(len(line) + 1 for line in lines[: edit.start[0]]) + edit.start[1]
        text = text[:first] + edit.text + text[first + len(edit.removed) :]
        span = follow(span, edit, KEEP_ALL)
        marked.replace(first, first + len(edit.removed), edit.text)
        assert span.text == marked.inside
        assert span.start == tuple(point_of(text, marked.start))
        assert span.end == end_of(span.start, span.text)
        assert mirror.text_of(span.start, span.end) == span.text
        assert document.source == text
        if not span.text:
            return  # an empty span is an offer's place, whose growth depends on more than the edit


def point_of(text: str, index: int) -> tuple[int, int]:
    place = point(text, index)
    return place.line, place.column
