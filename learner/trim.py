"""Trim: what of a model's raw text is offered, and the reason for every silence.

Each step takes the text and returns a shorter beginning of it, or the reason why nothing is offered. The
steps repeat until nothing changes, so trimming what was trimmed changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from learner.declined import Declined
from learner.languages import PAIRS, lex, unclosed_after
from learner.place import indent_of, stop_for
from models.engine import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from learner.languages import Lexed, Region
    from learner.place import Place

REPEAT_CHARS = 5
"""A line this long that repeats the one above is a loop; ``end`` and ``fi`` may follow themselves."""
BRACKETS = {*PAIRS, *PAIRS.values()}
TOKEN = re.compile(r"\w+|[^\w\s]")


def trim(candidate_text: str, place: Place, *, truncated: bool = False) -> str | Declined:
    """Return the beginning of ``candidate_text`` that is worth offering at ``place``, or why none is.

    Args:
        candidate_text: the model's continuation, from the cursor on.
        place: what stands around the cursor; accepting inserts the offer there and replaces nothing.
        truncated: whether the model was stopped by length, so that its last word may be half a word.
    """
    text = _whole_words(candidate_text) if truncated else candidate_text
    if not text:
        return Declined.EMPTY
    while True:
        shorter = _pass(text, place)
        if isinstance(shorter, Declined) or shorter == text:
            return shorter
        text = shorter


def _pass(text: str, place: Place) -> str | Declined:
    for step in _STEPS:
        result = step(text, place)
        if isinstance(result, Declined):
            return result
        text = result
    return text


def _whole_words(text: str) -> str:
    """Drop the last, perhaps unfinished, line of several, or the last word of one line."""
    head, newline, _ = text.rpartition("\n")
    if newline and head.strip():
        return head
    return re.sub(r"\w+$", "", text)


def _until_stop(text: str, place: Place) -> str | Declined:
    """Keep one line, or the block's lines: up to one that is indented less, or with the other white space."""
    lines = text.split("\n")
    if stop_for(place)[0] is Stop.LINE:
        return lines[0].rstrip("\r")
    foreign = " " if "\t" in place.before else "\t"
    for row, line in enumerate(lines[1:], start=1):
        dedents = indent_of(line) < indent_of(place.before)
        if line.strip() and (dedents or line.startswith(foreign)):
            return "\n".join(lines[:row])
    return text


def _visible(text: str, place: Place) -> str | Declined:
    """Drop white space at the end, but the one that parts the offer from a word right of the cursor."""
    if not text.strip():
        return Declined.WHITESPACE if text else Declined.EMPTY
    stripped = text.rstrip()
    if text[len(stripped) :].startswith(" ") and re.match(r"[\w\"'({\[]", place.after):
        return stripped + " "
    return stripped


def _not_typed_before(text: str, place: Place) -> str | Declined:
    """Decline a text that starts the cursor's line again."""
    typed = place.before.strip()
    restarts = len(typed) > 2 and re.search(r"\w", typed) and text.lstrip().startswith(typed)
    return Declined.ALREADY_TYPED if restarts else text


def _without_rest_of_line(text: str, place: Place) -> str | Declined:
    """Cut off what already stands right of the cursor; of brackets alone, the balance decides."""
    rest = place.after.strip()
    if not rest or _only_closes(rest):
        return text
    if rest.startswith(text.strip()) and not _only_closes(text):
        return Declined.REPEATS_SUFFIX
    cut = _overlap(text, rest)
    again = text.find(rest) if len(rest) > 3 and rest[0] not in PAIRS else -1
    text = text[: min(cut, again) if again >= 0 else cut]
    return text if text.strip() else Declined.REPEATS_SUFFIX


def _overlap(text: str, rest: str) -> int:
    """Return where in ``text`` the longest run of tokens begins that ends it and begins ``rest``."""
    tokens = list(TOKEN.finditer(text))
    words = [token.group() for token in tokens]
    ahead = TOKEN.findall(rest)
    if text.rstrip().endswith(rest) and rest[0] not in PAIRS:
        return len(text.rstrip()) - len(rest)
    for size in range(min(len(words), len(ahead)), 0, -1):
        if words[-size:] == ahead[:size] and not _only_closes("".join(ahead[:size])):
            return _past_partners(words, len(words) - size, tokens)
    return len(text)


def _past_partners(words: list[str], first: int, tokens: list[re.Match[str]]) -> int:
    """Return where token ``first`` begins, or the one after closing brackets that the text opened."""
    opened = list(unclosed_after((), [word for word in words[:first] if word in BRACKETS])[0])
    while opened and PAIRS.get(words[first]) == opened[-1]:
        opened.pop()
        first += 1
    return tokens[first].start()


def _only_closes(text: str) -> bool:
    return not text.strip(")]}\"'` \t")


def _without_lines_below(text: str, place: Place) -> str | Declined:
    """Cut before the lines that already stand below the cursor."""
    below = [line.strip() for line in place.below if line.strip()]
    if not below or place.after.strip():
        return text
    lines = text.split("\n")
    completed = [(place.before + lines[0]).strip(), *(line.strip() for line in lines[1:])]
    for row in range(len(lines)):
        rest = [line for line in completed[row:] if line]
        if rest and rest == below[: len(rest)]:
            return "\n".join(lines[:row]) if row else Declined.REPEATS_SUFFIX
    return text


def _without_loops(text: str, place: Place) -> str | Declined:
    """Cut before a line that repeats the one above it, or two lines that repeat the two above."""
    if place.after.strip():
        return text
    lines = text.split("\n")
    above = [line.strip() for line in place.above if line.strip()][-3:]
    seen = [*above, (place.before + lines[0]).strip()]
    if len(above) > 0 and _loops(seen):
        return Declined.REPEATS_PREFIX
    for row, line in enumerate(lines[1:], start=1):
        if not line.strip():
            continue
        seen.append(line.strip())
        if _loops(seen):
            return "\n".join(lines[:row])
    return text


def _loops(lines: Sequence[str]) -> bool:
    last = lines[-1]
    if len(last) < REPEAT_CHARS or not re.search(r"\w", last):
        return False
    return last == lines[-2] or (len(lines) > 3 and list(lines[-4:-2]) == list(lines[-2:]))


def _balanced(text: str, place: Place) -> str | Declined:
    """Cut before the first bracket or quote that the document does not need.

    Sound is an end after which no more closing brackets lack a partner than before, no string is left open
    on its line, and, within a line, no opening bracket is left over.
    """
    now = _imbalance("", place)
    for end in _ends(text, place):
        if all(new <= old for new, old in zip(_imbalance(text[:end], place), now, strict=True)):
            return text[:end] if text[:end].strip() else Declined.UNBALANCED
    return Declined.UNBALANCED


def _interpolated(text: str, place: Place) -> str | Declined:
    """Within a string, where brackets are mere text, cut before one that the line has already."""
    inside = place.lexed.inside
    if inside is None or inside.comment or place.after[:1] not in PAIRS:
        return text
    for end, character in enumerate(text):
        strays = unclosed_after((), [each for each in text[: end + 1] if each in BRACKETS])[1]
        if character == place.after[0] and strays:
            return text[:end] if text[:end].strip() else Declined.REPEATS_SUFFIX
    return text


def _ends(text: str, place: Place) -> list[int]:
    """Return where the text may be cut, longest first: at its end and before each bracket and quote."""
    delimiters = {*BRACKETS, *place.syntax.quotes, *place.syntax.long_quotes}
    cuts = {len(text)} | {i for i in range(len(text)) if text.startswith(tuple(delimiters), i)}
    return sorted(cuts, reverse=True)


def _imbalance(text: str, place: Place) -> tuple[int, int, int]:
    """Return the stray closing brackets, the broken strings and, within a line, the brackets left open."""
    before = place.lexed
    line = lex(text + place.after, place.syntax, before.inside)
    below = lex("\n" + "\n".join(place.below), place.syntax, _carried(line, before, place))
    inserted = [bracket for index, bracket in line.brackets if index < len(text)]
    rest = [bracket for index, bracket in line.brackets if index >= len(text)]
    rest += [bracket for _, bracket in below.brackets]
    opened, strays, mismatched = unclosed_after(before.unclosed, inserted)
    left, lacking, passed = unclosed_after(opened, rest)
    broken = sum(region.broken for region in (*line.regions, *below.regions))
    return (
        strays + mismatched + lacking,
        broken + (below.inside is not None),
        len(left) + passed if place.after.strip() else 0,
    )


def _carried(line: Lexed, before: Lexed, place: Place) -> Region | None:
    """Return what the next line begins within; a long string that the offer itself opens may stay open."""
    inside = line.inside
    if inside is None or before.inside is not None or place.after.strip():
        return inside
    return None if len(inside.closer) > 1 or inside.closer == "`" else inside


_STEPS: tuple[Callable[[str, Place], str | Declined], ...] = (
    _until_stop,
    _visible,
    _not_typed_before,
    _without_rest_of_line,
    _without_lines_below,
    _without_loops,
    _interpolated,
    _balanced,
)
