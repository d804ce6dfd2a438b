"""How much of one text stands in another, in code points: beginning, kept characters, edit distance."""

from __future__ import annotations

LONGEST = 2000
"""Code points compared; the cost grows with the square, in steps of a machine word."""


def shared(one: str, other: str) -> int:
    """Return how many code points both begin with."""
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)


def kept_chars(offered: str, settled: str) -> int:
    """Return the length of the longest common subsequence, in code points.

    Hyyrö's bit-parallel algorithm (2004): one addition per code point of ``settled`` on an integer
    with a bit per code point of ``offered``.
    """
    offered, settled = offered[:LONGEST], settled[:LONGEST]
    if offered == settled:
        return len(offered)
    places = _places(offered)
    ones = (1 << len(offered)) - 1
    row = ones
    for character in settled:
        hits = row & places.get(character, 0)
        row = ((row + hits) | (row - hits)) & ones
    return len(offered) - row.bit_count()


def edit_distance(offered: str, settled: str) -> int:
    """Return the Levenshtein distance, in code points.

    Myers' bit-parallel algorithm in Hyyrö's form (2003). Beyond :data:`LONGEST` the rest counts by its
    difference in length.
    """
    rest = abs(max(len(offered) - LONGEST, 0) - max(len(settled) - LONGEST, 0))
    offered, settled = offered[:LONGEST], settled[:LONGEST]
    if offered == settled:
        return rest
    if not offered:
        return len(settled) + rest
    places = _places(offered)
    ones, last = (1 << len(offered)) - 1, 1 << (len(offered) - 1)
    up, down, distance = ones, 0, len(offered)
    for character in settled:
        hits = places.get(character, 0)
        diagonal = (((hits & up) + up) ^ up) | hits | down
        right = down | ~(diagonal | up)
        left = up & diagonal
        distance += bool(right & last) - bool(left & last)
        right = (right << 1) | 1
        up = ((left << 1) | ~(diagonal | right)) & ones
        down = right & diagonal & ones
    return distance + rest


def _places(text: str) -> dict[str, int]:
    """Return, for each character, an integer whose set bits are the places where it stands."""
    places: dict[str, int] = {}
    for index, character in enumerate(text):
        places[character] = places.get(character, 0) | 1 << index
    return places
