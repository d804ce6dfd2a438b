"""Predictions of the last minutes, found again while the developer types along or comes back."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from learner.facts import Offered
    from lsp_server.documents import Document, Point

CAPACITY = 250
AROUND = 256
"""Code points before and after the cursor that make two places the same."""
LOOK_BACK = 512
"""How many typed code points a prediction is followed over."""

Key = tuple[str, str, str]


@dataclass(eq=False)
class Prediction:
    """What the engine answered at one place, and what has become of it."""

    offers: tuple[Offered, ...]
    """The candidates to offer, best first; or one that was declined."""
    asked_for: int = 1
    """How many candidates the engine was asked for."""
    offered: bool = False
    accepted: bool = False
    rejected: bool = False

    @property
    def declined(self) -> str | None:
        return self.offers[0].declined

    def follows(self, typed: str) -> bool:
        return self.declined is None and bool(self.rests(typed))

    def rests(self, typed: str) -> list[tuple[Offered, str]]:
        """Return the offers that go on after ``typed``, each with what is left of it."""
        rests = [(offer, offer.text[len(typed) :]) for offer in self.offers if offer.text.startswith(typed)]
        return [(offer, rest) for offer, rest in rests if rest.strip()]


@dataclass(frozen=True)
class Found:
    """A prediction, and what of it stands in the document by now."""

    prediction: Prediction
    typed: str

    @property
    def unwanted(self) -> bool:
        """Whether the developer rejected this prediction here, or accepted it and deleted it again."""
        return self.prediction.rejected or (self.prediction.accepted and not self.typed)


class Recent:
    """Predictions by the text around the place they were made for; the least recently used goes first."""

    def __init__(self) -> None:
        self._predictions: OrderedDict[Key, Prediction] = OrderedDict()
        self._by_offer: WeakValueDictionary[str, Prediction] = WeakValueDictionary()

    def __contains__(self, key: Key) -> bool:
        return key in self._predictions

    def keep(self, key: Key, prediction: Prediction) -> None:
        self._predictions[key] = prediction
        self._predictions.move_to_end(key)
        self._by_offer.update({offer.offer_id: prediction for offer in prediction.offers})
        if len(self._predictions) > CAPACITY:
            self._predictions.popitem(last=False)

    def find(self, document: Document, point: Point) -> Found | None:
        """Return the prediction for this place, or the one whose text has been typed up to here."""
        before, after = text_around(document, point, 2 * AROUND + LOOK_BACK)
        after = after[:AROUND]
        for typed in range(min(LOOK_BACK, len(before)) + 1):
            end = len(before) - typed
            key = (document.uri, before[max(0, end - AROUND) : end], after)
            prediction = self._predictions.get(key)
            if prediction is not None and (not typed or prediction.follows(before[end:])):
                self._predictions.move_to_end(key)
                return Found(prediction, before[end:])
        return None

    def of_offer(self, offer_id: str) -> Prediction | None:
        return self._by_offer.get(offer_id)

    def clear(self) -> None:
        self._predictions.clear()


def key_of(document: Document, point: Point) -> Key:
    before, after = text_around(document, point, 2 * AROUND)
    return document.uri, before[-AROUND:], after[:AROUND]


def text_around(document: Document, point: Point, size: int) -> tuple[str, str]:
    """Return up to ``size`` code points of the document before and after ``point``, CRLF as one of them."""
    lines = document.lines
    before = [lines[point.line][max(0, point.column - size) : point.column]]
    missing, line = size - len(before[0]), point.line
    while missing > 0 and line > 0:
        line -= 1
        before.append(lines[line][-missing:])
        missing -= len(before[-1])
    after = [lines[point.line][point.column : point.column + size]]
    missing, line = size - len(after[0]), point.line
    while missing > 0 and line + 1 < len(lines):
        line += 1
        after.append(lines[line][:missing])
        missing -= len(after[-1])
    # The model writes "\n", whatever the document's line endings are.
    return "".join(reversed(before)).replace("\r\n", "\n"), "".join(after).replace("\r\n", "\n")
