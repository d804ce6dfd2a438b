"""Would it have been accepted? An offer judged by what was typed in its place.

One definition for the rows of the prior, for hidden offers in the ledger and for replays: an offer is worth
accepting where its first line, or its first eight characters, are exactly what was written (the strict accept
of the replay). What stands after that is corrected or cut off cheaply.
"""

from __future__ import annotations

from learner.distance import shared

ENOUGH = 8
"""Code points that are right from the beginning, after which an offer was worth accepting."""


def would_accept(offered: str, written: str, *, ends: bool = True) -> bool | None:
    """Return whether ``offered`` was worth accepting where ``written`` was typed.

    ``ends`` says whether all that belongs there was written; if not and it breaks off within the offer, the
    answer is None: nobody knows yet.
    """
    line = _first_line(offered)
    right = shared(offered, written)
    # "x" is not right where "xylophone" is written, though that begins like it.
    goes_on = 0 < right == len(line) < len(written) and _joins(line[-1], written[right])
    if right >= ENOUGH or (line and right >= len(line) and not goes_on):
        return True
    return None if right == len(written) and not ends else False


def _first_line(text: str) -> str:
    """Return the text up to the end of its first line that is not blank, without white space at its end."""
    start = len(text) - len(text.lstrip())
    end = text.find("\n", start)
    return (text if end < 0 else text[:end]).rstrip()


def _joins(left: str, right: str) -> bool:
    return (left.isalnum() or left == "_") and (right.isalnum() or right == "_")
