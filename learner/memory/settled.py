"""What an offer's fate teaches the memory: its episode, made of what was offered and what settled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from learner.cursors import first_lines, until_stop
from learner.facts import Event, EventKind, Served, Settlement
from learner.labels import Label, Look, Witness, clean_looks, is_outcome, verdict
from learner.memory.episode import Episode, Kind, is_right
from learner.memory.place import place_in_prompt, storable
from learner.place import place_in, stop_for
from learner.secret_scan import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from learner.facts import Offered

SURPRISE = math.log(0.4)
"""An accepted text of which the model was less sure than this, on average per token, was a lucky guess."""
LONGEST = 1000
"""Code points of a completed line (or block) that is worth remembering."""
LEAST = 4
"""Visible code points."""
DELETED = 0.2
"""An accepted text of which no more than this share is left was deleted."""
_TAUGHT_NOTHING = (Label.UNSEEN, Label.SUPERSEDED)


def episode_of(offer: Offered, course: Sequence[Event | Settlement]) -> Episode | None:
    """Return what the offer and ``course`` (its events and settlements as recorded) teach; None if nothing.

    What stands after a paste, formatter or reload went through is not the developer's own text.
    """
    events = [Witness(fact.kind, fact.known_by) for fact in course if isinstance(fact, Event)]
    label = verdict(offer.declined, events, _looks(course)).label
    silent = not is_outcome(offer.declined)
    if label in _TAUGHT_NOTHING and not silent:
        return None
    place = place_in_prompt(offer.prompt, uri=offer.uri, project=offer.project, language=offer.language)
    settled = last_clean(course)
    right = _right(offer, settled.text) if settled is not None else ""
    taken = any(event.kind is EventKind.ACCEPTED for event in events)
    left = settled.kept_chars / len(offer.text) if settled is not None and offer.text else 1.0
    refused = not silent and (label is Label.REJECTED or (taken and left <= DELETED))
    refused = refused and not is_right(offer.text, right)
    if len(right.strip()) < LEAST or not any(character.isalpha() for character in right):
        right = ""
    if not right and not refused:
        return None
    episode = Episode(
        offer_id=offer.offer_id,
        at=offer.offered_at,
        place=place,
        kind=_kind(offer, label, right, silent=silent),
        right=right,
        offered="" if silent else storable(offer.text),
        refused=refused,
        by_memory=offer.served is Served.MEMORY,
    )
    return episode if len(episode.line) <= LONGEST else None


def last_clean(course: Sequence[Event | Settlement]) -> Settlement | None:
    """Return the last look at the text before anything but the developer changed it."""
    events = [Witness(fact.kind, fact.known_by) for fact in course if isinstance(fact, Event)]
    settlements = [fact for fact in course if isinstance(fact, Settlement)]
    clean = len(clean_looks(events, _looks(course)))
    return settlements[clean - 1] if clean else None


def _looks(course: Sequence[Event | Settlement]) -> list[Look]:
    looks: list[Look] = []
    events = 0
    for fact in course:
        if isinstance(fact, Event):
            events += 1
        else:
            looks.append(Look(fact.edit_distance, events))
    return looks


def _right(offer: Offered, text: str) -> str:
    """Return the part of what settled that one completion would have written; nothing of a secret."""
    stop, indent = stop_for(place_in(offer.prompt, offer.language))
    target = first_lines(until_stop(text, offer.prompt.suffix, stop, indent))
    return "" if PLACEHOLDER in target or not target.strip() else storable(target)


def _kind(offer: Offered, label: Label, right: str, *, silent: bool) -> Kind:
    if not right:
        return Kind.REFUSAL
    if not silent and is_right(offer.text, right):
        return Kind.SURPRISE if _was_unsure(offer) else Kind.KEPT
    return Kind.CORRECTION if label is Label.EDITED else Kind.MISS


def _was_unsure(offer: Offered) -> bool:
    logprobs = next((each.logprobs for each in offer.candidates if each.text.startswith(offer.text)), ())
    return bool(logprobs) and sum(logprobs) / len(logprobs) < SURPRISE
