"""What the ledger stores: facts as they happened. Labels are derived from them in ``learner.labels``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.engine import Candidate
    from models.prompt import Prompt


class KnownBy(StrEnum):
    EXPLICIT = "explicit"
    """The client said so."""
    INFERRED = "inferred"
    """Seen in the document's changes."""
    TIMEOUT = "timeout"
    """Nothing happened for the time after which the fact is assumed."""


class Served(StrEnum):
    """Where an offer came from."""

    MODEL = "model"
    CACHE = "cache"
    PREFETCH = "prefetch"
    MEMORY = "memory"
    """Known from a like place; no model was asked."""


REPLAY_CLIENT = "replay"
"""The client of sessions that were replayed from a history: the learners read them as any other, but what
was offered there was shown to nobody, and is in no figure about the developer."""


@dataclass(frozen=True)
class Session:
    """One run of the server, or one replay of a history."""

    session_id: str
    started_at: float
    """Unix time, in seconds, as all times here."""
    client: str
    server_version: str
    process: int


@dataclass(frozen=True)
class Offered:
    """A prediction: one answer of the engine at one place, offered or (``declined``) kept back.

    A prediction keeps its id while the developer types along with it: later replies that repeat its
    remainder are the same offer.
    """

    offer_id: str
    session_id: str
    offered_at: float
    uri: str
    project: str
    """The workspace folder's path, or empty."""
    language: str
    line: int
    column: int
    """The cursor, in code points."""
    text: str
    """What was offered, or would have been; empty where there was nothing."""
    replaced: int
    """How many code points right of the cursor on its line an accept replaces."""
    prompt: Prompt
    layout: str
    model: str
    adapter: str | None
    candidates: tuple[Candidate, ...]
    declined: str | None
    """A ``learner.declined.Declined`` value, or None where it was offered."""
    invoked: bool
    """Asked for by hand rather than by typing."""
    served: Served
    latency_ms: float
    support: int = 0
    """On how many occasions memory knew the text, where the gate was told."""


class EventKind(StrEnum):
    SHOWN = "shown"
    """The client says that it displayed the offer."""
    ACCEPTED = "accepted"
    """The whole (remaining) offer was taken: its command came, or its insertion, or both."""
    PARTIAL = "partial"
    """A leading part was taken at once; ``length`` is the number of code points taken so far in all."""
    TYPED = "typed"
    """The developer typed the whole offer by hand."""
    DIVERGED = "diverged"
    """The developer typed something else after ``length`` code points of the offer."""
    REJECTED = "rejected"
    IGNORED = "ignored"
    """It stood long enough to be read, and the cursor left or nothing was done."""
    UNSEEN = "unseen"
    """It came too late, or was gone before it could be seen."""
    SUPERSEDED = "superseded"
    """A newer offer at the same place took its place."""
    UNDONE = "undone"
    """An accept was undone by the editor's undo; ``redone`` takes that back."""
    REDONE = "redone"
    DISTURBED = "disturbed"
    """A paste, formatter, reload or bulk edit went through the offer's text: ``detail`` says which."""


@dataclass(frozen=True)
class Event:
    offer_id: str
    at: float
    kind: EventKind
    known_by: KnownBy
    length: int | None = None
    detail: str = ""


class Horizon(StrEnum):
    """When the text is looked at again."""

    S10 = "10s"
    S30 = "30s"
    MIN2 = "2min"
    MIN10 = "10min"
    CLOSE = "close"
    """The document was closed or the server ended before the last horizon."""
    DISTURBED = "disturbed"
    """Just before the first disturbance of a kind: the developer's own text, before something else went
    through it."""


@dataclass(frozen=True)
class Settlement:
    """What stands at the offer's place at one horizon."""

    offer_id: str
    at: float
    horizon: Horizon
    text: str
    """The text that now stands where the offer would be (accepted or not): from the cursor's place to the
    end of what was inserted there; for an offer not taken, what was typed instead."""
    kept_chars: int
    """Code points of the offered text that are still there, in order (longest common subsequence)."""
    edit_distance: int
    """Levenshtein distance between the offered and the settled text, in code points."""


Fact = Session | Offered | Event | Settlement
