"""What the last week taught: corrections that recurred, and some of them whole, before and after."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from learner.facts import REPLAY_CLIENT, EventKind
from learner.labels import NOT_SHOWN, Label
from learner.privacy import PrivacyFilter
from learner.secret_scan import PLACEHOLDER

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

WEEK_S = 7 * 86_400.0
MOST_OUTCOMES = 5_000
"""The newest of the week that are looked at: more would say the same, and take longer."""
MOST_CORRECTIONS = 8
MOST_SAMPLES = 6
LONGEST = 60
"""Code points of each side of a correction."""
LEAST = 3
"""Code points that tell where a correction was offered right later on."""
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_CORRECTED = (Label.EDITED, Label.DIVERGED, Label.REJECTED)
_KEPT = (Label.ACCEPTED, Label.TYPED)


@dataclass(frozen=True)
class Outcome:
    """An offer that was seen, and what stands in its place."""

    at: float
    """When it was offered, in Unix time."""
    uri: str
    project: str
    line: int
    before: str
    """The line left of its cursor."""
    offered: str
    settled: str
    """Empty where nothing was looked at before something else changed the text."""
    label: Label

    @property
    def place(self) -> str:
        """The file's name, and the line as an editor counts."""
        return f"{Path(unquote(urlsplit(self.uri).path)).name}:{self.line + 1}"


@dataclass(frozen=True)
class Correction:
    """What was put in place of the same words, at several places."""

    wrong: str
    """Empty where something was only added."""
    right: str
    """Empty where something was only taken out."""
    places: int
    files: int
    right_since: int
    """Places where it was offered right afterwards, and stayed."""


@dataclass(frozen=True)
class Sample:
    """One offer, and what became of it."""

    at: float
    place: str
    label: str
    before: str
    offered: str
    became: str


@dataclass(frozen=True)
class Week:
    """What the outcomes of the last seven days say."""

    outcomes: int
    """How many were looked at, at most :data:`MOST_OUTCOMES`."""
    corrections: tuple[Correction, ...]
    samples: tuple[Sample, ...]


def week(connection: sqlite3.Connection, now: float) -> Week:
    """Return what was learned in the seven days before ``now`` (Unix time).

    What is a secret by now, or in a file that is private by now, is left out.
    """
    allows = _permission()
    outcomes = [each for each in _outcomes(connection, now - WEEK_S) if allows(each.uri, each.project)]
    corrected = [
        (each, pair)
        for each in outcomes
        if each.label in _CORRECTED and each.settled and (pair := difference(each))
    ]
    has_secret = PrivacyFilter(()).has_secret
    return Week(
        len(outcomes),
        tuple(_recurring(outcomes, corrected, has_secret)),
        tuple(_samples((each for each, _ in corrected), has_secret)),
    )


def difference(outcome: Outcome) -> tuple[str, str] | None:
    """Return the words that were put in place of others, from the first line that differs; None for too many.

    Words are whole, also where the offer began within one.
    """
    offered, settled = ((outcome.before + text).split("\n") for text in (outcome.offered, outcome.settled))
    for ours, theirs in zip_longest(offered, settled, fillvalue=""):
        if ours.split() != theirs.split():
            wrong, right = _between(_TOKEN.findall(ours), _TOKEN.findall(theirs))
            return (wrong, right) if max(len(wrong), len(right)) <= LONGEST else None
    return None


def _between(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    """Return both without the tokens that they begin and end with alike."""
    least = min(len(ours), len(theirs))
    start = next((n for n in range(least) if ours[n] != theirs[n]), least)
    end = next((n for n in range(least - start) if ours[-1 - n] != theirs[-1 - n]), least - start)
    wrong, right = ("".join(tokens[start : len(tokens) - end]).strip() for tokens in (ours, theirs))
    return wrong, right


def _recurring(
    outcomes: Sequence[Outcome],
    corrected: Iterable[tuple[Outcome, tuple[str, str]]],
    has_secret: Callable[[str], bool],
) -> list[Correction]:
    """Typing one line brings many offers: only different places count."""
    found: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for each, pair in corrected:
        found[pair].append(each)
    corrections = []
    for (wrong, right), each in found.items():
        places = {(one.uri, one.line) for one in each}
        shown = any(character.isalnum() for character in wrong + right)
        if len(places) > 1 and shown and not _is_redacted(has_secret, wrong, right):
            first = min(one.at for one in each)
            files = len({uri for uri, _ in places})
            corrections.append(
                Correction(wrong, right, len(places), files, _right_since(outcomes, right, first))
            )
    return sorted(corrections, key=lambda one: -one.places)[:MOST_CORRECTIONS]


def _right_since(outcomes: Sequence[Outcome], right: str, first: float) -> int:
    if len(right) < LEAST:
        return 0
    later = (one for one in outcomes if one.at > first and one.label in _KEPT)
    return len({(one.uri, one.line) for one in later if right in one.before + one.offered})


def _samples(corrected: Iterable[Outcome], has_secret: Callable[[str], bool]) -> list[Sample]:
    """The newest, each completed line once."""
    found: dict[str, Sample] = {}
    for one in corrected:
        became = one.before + one.settled
        if became in found or _is_redacted(has_secret, one.before + one.offered, became):
            continue
        found[became] = Sample(one.at, one.place, one.label, one.before, one.offered, one.settled)
        if len(found) == MOST_SAMPLES:
            break
    return list(found.values())


def _is_redacted(has_secret: Callable[[str], bool], *texts: str) -> bool:
    return any(PLACEHOLDER in text or has_secret(text) for text in texts)


def _outcomes(connection: sqlite3.Connection, since: float) -> list[Outcome]:
    """Newest first. What a paste, formatter or reload went through is not the developer's own text."""
    unseen = ", ".join(f"'{label}'" for label in NOT_SHOWN)
    rows = connection.execute(
        f"""SELECT offered_at, uri, project, line, line_before, text, ifnull(
  (SELECT text FROM settlements WHERE offer = offers.id
    AND after_event < ifnull((SELECT min(id) FROM events WHERE offer = offers.id
      AND kind = '{EventKind.DISTURBED}'), after_event + 1)
    ORDER BY id DESC LIMIT 1), ''), label
FROM offers CROSS JOIN verdicts ON verdicts.offer = offers.id CROSS JOIN files ON files.id = offers.file
  LEFT JOIN sessions ON sessions.session_id = offers.session_id
WHERE offered_at >= ? AND label NOT IN ({unseen}) AND client IS NOT '{REPLAY_CLIENT}'
ORDER BY offered_at DESC LIMIT {MOST_OUTCOMES}""",
        (since,),
    )
    return [Outcome(*values, label=Label(label)) for *values, label in rows]


def _permission() -> Callable[[str, str], bool]:
    """Return what says whether a file, of a project, may be shown; each is looked at once."""
    filters = cache(lambda project: PrivacyFilter([Path(project)] if project else ()))

    @cache
    def allows(uri: str, project: str) -> bool:
        parts = urlsplit(uri)
        return parts.scheme != "file" or filters(project).allows(Path(unquote(parts.path)))

    return allows
