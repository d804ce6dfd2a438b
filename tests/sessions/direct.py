"""A wire straight to :class:`lsp_server.outcomes.Outcomes`, without a server between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.facts import Offered, Served
from lsp_server.documents import Document, Point
from lsp_server.outcomes import Outcomes
from models.prompt import Prompt
from tests.sessions.editor import Ghost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.facts import Fact
    from tests.sessions.editor import Clock, Replacement


def point_of(text: str, index: int) -> Point:
    return Point(text.count("\n", 0, index), index - text.rfind("\n", 0, index) - 1)


class DirectWire:
    def __init__(self, uri: str, text: str, clock: Clock, *, crlf: bool = False) -> None:
        self.facts: list[Fact] = []
        self.outcomes = Outcomes(self.facts.append, clock, clock.wall)
        self._ending = "\r\n" if crlf else "\n"
        self.document = Document(uri, self._wired(text), language_id="python")
        self.outcomes.opened(self.document)
        self._clock = clock
        self._live: tuple[str, str, str] | None = None
        self._count = 0

    def _wired(self, text: str) -> str:
        return text.replace("\n", self._ending)

    def change(self, before: str, changes: Sequence[Replacement]) -> None:
        edits = []
        for change in changes:
            start, end = point_of(before, change.start), point_of(before, change.end)
            edits.append(self.document.replace(start, end, self._wired(change.text)))
            before = before[: change.start] + change.text + before[change.end :]
        self.outcomes.changed(self.document, edits)

    def request(self, text: str, cursor: int, answer: str | None, *, hidden: bool) -> Ghost | None:
        point = point_of(text, cursor)
        self.outcomes.moved(self.document, point)
        if self._live and answer is None:
            offer_id, head, offered = self._live
            typed = text[len(head) : cursor]
            if text.startswith(head) and offered.startswith(typed) and typed != offered:
                self.outcomes.repeated(offer_id, offered[len(typed) :])
                return Ghost(offer_id, offered[len(typed) :], cursor, cursor)
        if answer is None:
            return None
        self._count += 1
        offer_id = f"{self.document.uri}#{self._count}"
        self._live = offer_id, text[:cursor], answer
        self.outcomes.offered(
            Offered(
                offer_id,
                "s",
                self._clock.wall(),
                self.document.uri,
                "",
                "python",
                point.line,
                point.column,
                answer,
                0,
                Prompt("", ""),
                "",
                "m",
                None,
                (),
                "hidden" if hidden else None,
                False,
                Served.MODEL,
                1.0,
            ),
            self.document,
        )
        return None if hidden else Ghost(offer_id, answer, cursor, cursor)

    def last_id(self) -> str:
        return f"{self.document.uri}#{self._count}"

    def command(self, offer_id: str) -> None:
        self.outcomes.accepted(offer_id)

    def shown(self, offer_id: str) -> None:
        self.outcomes.shown(offer_id)

    def partially_accepted(self, offer_id: str, length: int) -> None:
        self.outcomes.partially_accepted(offer_id, length)

    def rejected(self, offer_id: str) -> None:
        self.outcomes.rejected([offer_id])

    def tick(self) -> None:
        self.outcomes.tick()

    def close(self) -> None:
        self.outcomes.shutdown()
