"""The simulated developer: what is done with an offer where it is known what follows, and what that is worth.

One rule for exams and replays, the same for every arm. An offer is taken only if it is right in one whole
line or eight characters at least, from the cursor on: less is not noticed while one types. What is right in
part is taken in part, or taken whole and mended, whichever costs less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from learner.distance import kept_chars, shared

LEAST_RIGHT = 8
"""Characters from which a beginning is worth taking."""
LOOK = 1
"""What each offer costs, taken or not: it is looked at."""
_WORD = re.compile(r"\w+\W*|\W+")


class Taken(StrEnum):
    NOTHING_OFFERED = "nothing offered"
    WHOLE = "whole"
    PART = "part"
    EDITED = "edited"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Response:
    """What was done with an offer, in characters."""

    taken: Taken
    saved: int = 0
    """Typed by the offer instead of the developer, and right."""
    corrections: int = 0
    """Keys pressed because of the offer: words or lines taken singly, or characters deleted."""
    looks: int = 0
    """1 for each offer shown."""
    length: int = 0
    """Of the offer's beginning that was taken."""

    @property
    def net(self) -> int:
        return self.saved - self.corrections - self.looks


def respond(offered: str, target: str) -> Response:
    """Return what a developer about to write ``target`` does with ``offered``; an empty one is no offer."""
    if not offered.strip():
        return Response(Taken.NOTHING_OFFERED)
    right = shared(offered, target)
    if not _is_noticed(offered, target, right):
        return Response(Taken.IGNORED, looks=LOOK)
    if right == len(offered):
        return Response(Taken.WHOLE, right, 0, LOOK, right)
    return max(_in_part(offered, right), _mended(offered, target), key=lambda response: response.net)


def _is_noticed(offered: str, target: str, right: int) -> bool:
    """Whether a line is right as a whole, or enough characters are."""
    return right >= LEAST_RIGHT or offered.partition("\n")[0].rstrip() == target.partition("\n")[0].rstrip()


def _in_part(offered: str, right: int) -> Response:
    """Take whole lines, then whole words, each with one key, up to where the offer goes wrong."""
    lines = offered[:right].count("\n")
    length = offered[:right].rfind("\n") + 1
    keys = lines
    for word in _WORD.finditer(offered, length):
        if word.end() > right:
            break
        length, keys = word.end(), keys + 1
    if not length:
        return Response(Taken.IGNORED, looks=LOOK)
    # The first key is what taking a whole offer costs too, which is not counted there.
    return Response(Taken.PART, length, keys - 1, LOOK, length)


def _mended(offered: str, target: str) -> Response:
    """Take all of it and delete what is wrong; what lacks is typed as it would have been anyway."""
    kept = kept_chars(offered, target)
    return Response(Taken.EDITED, kept, len(offered) - kept, LOOK, len(offered))
