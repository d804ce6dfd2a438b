"""The ring of recent places."""

from __future__ import annotations

from pathlib import Path

from lsp_server.documents import Document, Point
from lsp_server.ring import FILES, ROWS, Ring


def document(name: str, lines: int = 200) -> Document:
    return Document(Path(f"/p/{name}").as_uri(), "".join(f"{name} {row}\n" for row in range(lines)))


def firsts(ring: Ring, without: str = "") -> list[tuple[str, int]]:
    return [(piece.path.name, piece.first) for piece in ring.pieces(without)]


def test_the_latest_places_come_first_and_the_current_file_is_left_out() -> None:
    ring, a, b = Ring(), document("a"), document("b")
    ring.note(a, 50)
    ring.note(b, 100)
    ring.note(b, 20)
    assert firsts(ring) == [("b", 20 - ROWS // 2), ("b", 100 - ROWS // 2), ("a", 50 - ROWS // 2)]
    assert firsts(ring, without=b.uri) == [("a", 50 - ROWS // 2)]


def test_a_place_near_another_replaces_it() -> None:
    ring, a = Ring(), document("a")
    for line in (50, 55, 60):
        ring.note(a, line)
    assert firsts(ring) == [("a", 60 - ROWS // 2)]


def test_places_move_along_with_edits_above_them_and_show_the_present_text() -> None:
    ring, a = Ring(), document("a")
    ring.note(a, 100)
    ring.note_edit(a, a.replace(Point(2, 0), Point(2, 0), "new\n" * 10))
    pieces = list(ring.pieces(without=""))
    assert [piece.first for piece in pieces] == [0, 110 - ROWS // 2]
    assert "a 100\n" in pieces[1].lines
    assert "new\n" in pieces[0].lines


def test_a_closed_file_keeps_its_pieces_as_they_were() -> None:
    ring, a = Ring(), document("a")
    ring.note(a, 50)
    before = list(ring.pieces(without=""))
    ring.note_close(a)
    a.replace(Point(0, 0), a.end, "")
    assert list(ring.pieces(without="")) == before


def test_a_file_that_is_opened_again_starts_anew() -> None:
    ring, a = Ring(), document("a")
    ring.note(a, 50)
    ring.note_close(a)
    again = document("a", lines=3)
    ring.note(again, 1)
    assert firsts(ring) == [("a", 0)]


def test_untitled_buffers_and_old_files_are_not_kept() -> None:
    ring = Ring()
    ring.note(Document("untitled:1", "text"), 0)
    assert firsts(ring) == []
    for number in range(FILES + 5):
        ring.note(document(f"f{number}"), 0)
    assert len(firsts(ring)) == FILES
