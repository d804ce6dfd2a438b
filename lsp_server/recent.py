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

QUOTES = "\"'`"
PARTNERS = {"(": ")", "[": "]", "{": "}", **dict(zip(QUOTES, QUOTES, strict=True))}
"""What editors insert by themselves when its partner is typed."""
CLOSERS = "".join(PARTNERS.values())
MOST_CLOSERS = 4

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
    as_of: int = -1
    """The memory's version when it was last asked whether it knows better."""

    @property
    def declined(self) -> str | None:
        return self.offers[0].declined

    @property
    def was_judged(self) -> bool:
        """Whether the developer has been offered it, and may have said what they think of it."""
        return self.offered or self.accepted or self.rejected

    def rests(self, found: Found) -> list[tuple[Offered, str]]:
        """Return the offers that go on after what was typed, each with what is left of it to insert."""
        following = [offer for offer in self.offers if offer.text.startswith(found.typed)]
        rests = [(offer, _before(found.closers, offer.text[len(found.typed) :])) for offer in following]
        return [(offer, rest) for offer, rest in rests if rest.strip()]


@dataclass(frozen=True)
class Found:
    """A prediction, and what of it stands in the document by now."""

    prediction: Prediction
    typed: str = ""
    closers: str = ""
    """What the editor has put right of the cursor to close what was typed."""

    @property
    def unwanted(self) -> bool:
        """Whether the developer rejected this prediction here, or accepted it and deleted it again."""
        return self.prediction.rejected or (self.prediction.accepted and not self.typed)

    def says(self, other: Prediction) -> bool:
        """Whether the first text on offer is the other's."""
        return self.prediction.declined is None and self.prediction.offers[0].text == other.offers[0].text

    @property
    def goes_on(self) -> bool:
        """Whether something is left to offer of what the developer types."""
        if self.prediction.declined is not None or unclosed(self.typed)[: len(self.closers)] != self.closers:
            return False
        return bool(self.prediction.rests(self))


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
        # The closing brackets and quotes right of the cursor may be the editor's, for what was typed since.
        head = after[:MOST_CLOSERS]
        closers = len(head) - len(head.lstrip(CLOSERS))
        afters = [after[count : count + AROUND] for count in range(closers + 1)]
        for typed in range(min(LOOK_BACK, len(before)) + 1):
            end = len(before) - typed
            for count, rest in enumerate(afters if typed else afters[:1]):
                key = (document.uri, before[max(0, end - AROUND) : end], rest)
                if (prediction := self._predictions.get(key)) is None:
                    continue
                found = Found(prediction, before[end:], after[:count])
                if not typed or found.goes_on:
                    self._predictions.move_to_end(key)
                    return found
        return None

    def of_offer(self, offer_id: str) -> Prediction | None:
        return self._by_offer.get(offer_id)

    def clear(self) -> None:
        self._predictions.clear()

    def drop_answers(self) -> None:
        """Forget what was predicted, but not where the developer has said what they think of it."""
        judged = [(key, each) for key, each in self._predictions.items() if each.accepted or each.rejected]
        self._predictions = OrderedDict(judged)


def unclosed(text: str) -> str:
    """Return what would close the brackets and quotes that ``text`` leaves open, innermost first."""
    expected: list[str] = []
    for character in text:
        if expected and character == expected[-1]:
            expected.pop()
        elif character in PARTNERS and not (expected and expected[-1] in QUOTES):
            expected.append(PARTNERS[character])
    return "".join(reversed(expected))


def _before(closers: str, rest: str) -> str:
    """Return the part of ``rest`` before the first of ``closers``; nothing where it has none."""
    if not closers:
        return rest
    for end, character in enumerate(rest):
        if character == closers[0] and not unclosed(rest[:end]):
            return rest[:end]
    return ""


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
