"""Predictions of the last minutes, found again while the developer types along or comes back."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from learner.facts import Offered
    from lsp_server.documents import Document, Point

CAPACITY = 250
AROUND = 256
"""Code points before and after the cursor that make two places the same."""
LOOK_BACK = 512
"""How many typed code points a prediction is followed over."""

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Prediction:
    """What the engine answered at one place."""

    offers: tuple[Offered, ...]
    """The candidates to offer, best first; or one that was declined."""
    asked_for: int = 1
    """How many candidates the engine was asked for."""

    @property
    def declined(self) -> bool:
        return self.offers[0].declined is not None


@dataclass(frozen=True)
class Found:
    """A prediction, and how much of it stands in the document by now."""

    prediction: Prediction
    typed: int


class Recent:
    """Predictions by the text around the place they were made for; the least recently used goes first."""

    def __init__(self) -> None:
        self._predictions: OrderedDict[Key, Prediction] = OrderedDict()
        self._taken: set[str] = set()
        self._rejected: set[str] = set()

    def keep(self, key: Key, prediction: Prediction) -> None:
        self._predictions[key] = prediction
        self._predictions.move_to_end(key)
        if len(self._predictions) > CAPACITY:
            _, oldest = self._predictions.popitem(last=False)
            for offer in oldest.offers:
                self._taken.discard(offer.offer_id)
                self._rejected.discard(offer.offer_id)

    def find(self, document: Document, point: Point) -> Found | None:
        """Return the prediction for this place, or the one whose text has been typed up to here."""
        before, after = text_around(document, point, AROUND + LOOK_BACK)
        after = after[:AROUND]
        for typed in range(min(LOOK_BACK, len(before)) + 1):
            end = len(before) - typed
            key = (document.uri, before[max(0, end - AROUND) : end], after)
            prediction = self._predictions.get(key)
            if prediction is not None and _continues(prediction, before[end:]):
                self._predictions.move_to_end(key)
                return Found(prediction, typed)
        return None

    def accepted(self, offer_id: str) -> None:
        self._taken.add(offer_id)

    def rejected(self, offer_id: str) -> None:
        self._rejected.add(offer_id)

    def is_unwanted(self, found: Found) -> bool:
        """Whether the developer rejected this prediction here, or accepted it and deleted it again."""
        ids = {offer.offer_id for offer in found.prediction.offers}
        return not ids.isdisjoint(self._rejected) or (found.typed == 0 and not ids.isdisjoint(self._taken))

    def clear(self) -> None:
        self._predictions.clear()
        self._taken.clear()
        self._rejected.clear()


def key_of(document: Document, point: Point) -> Key:
    before, after = text_around(document, point, AROUND)
    return document.uri, before, after


def text_around(document: Document, point: Point, size: int) -> tuple[str, str]:
    """Return up to ``size`` code points of the document before and after ``point``."""
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
    return "".join(reversed(before)), "".join(after)


def _continues(prediction: Prediction, typed: str) -> bool:
    if not typed:
        return True
    return not prediction.declined and any(
        len(offer.text) > len(typed) and offer.text.startswith(typed) for offer in prediction.offers
    )
