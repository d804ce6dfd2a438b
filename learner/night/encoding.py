"""An example as token ids: what is evaluated once, what is trained on, and what weighs how much."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from learner.examples import Source
from learner.night import NightError
from models.line_end import End, LineEnds
from models.prompt import Chunk, encode, encode_target, healed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from learner.examples import Example
    from learner.job import TrainingOptions
    from models.line_end import WholeVocabulary
    from models.prompt import Tokenizer


HINT_LINES = 4
"""Of the prompt, on each side of what settled, that a teacher sees a second time around it."""


@dataclass(frozen=True)
class EncodedExample:
    """One prompt with what is said of its continuation."""

    prompt: tuple[int, ...]
    """Every token before the trigger."""
    middle: tuple[int, ...]
    """The trigger and the target's tokens but the last: each one's successor is predicted."""
    target: tuple[int, ...]
    """The wanted successors, one per token of ``middle``; empty where only an unwanted one is known."""
    wrong: tuple[int, int] | None
    """The place in ``middle`` after which a rejected offer went wrong, and the token it went on with."""
    weight: float
    is_replay: bool
    is_shortened: bool
    """The prompt or the target did not fit."""
    hinted: tuple[int, ...] = ()
    """The prompt of a teacher who sees what settled, before the trigger; empty where none teaches."""
    end: int = -1
    """The token that ends a completion."""
    instead: tuple[tuple[int, ...], ...] = ()
    """What may as well stand in place of the last two of ``target`` (:class:`models.line_end.LineEnds`);
    empty where nothing may."""

    @property
    def size(self) -> int:
        return len(self.prompt) + len(self.middle)


def encode_examples(
    examples: Iterable[Example], tokenizer: WholeVocabulary, options: TrainingOptions
) -> tuple[list[EncodedExample], Counter[str]]:
    """Return what can be learned from, in the same order, and how many examples were left out, by reason.

    Raises:
        NightError: nothing can be learned.
    """
    encoded: list[EncodedExample] = []
    left_out: Counter[str] = Counter()
    line_ends = LineEnds(tokenizer)
    for example in examples:
        if example.weight <= 0.0:
            left_out["without weight"] += 1
        elif found := _encode(example, tokenizer, line_ends, options):
            encoded.append(found)
        else:
            left_out["says nothing"] += 1
    if not encoded:
        raise NightError("there is nothing to learn: no example has a target or a rejected offer")
    kept = within_replay_share(encoded, options.replay)
    if len(kept) < len(encoded):
        left_out["replay beyond its share"] += len(encoded) - len(kept)
    return kept, left_out


def within_replay_share(examples: Sequence[EncodedExample], share: float) -> list[EncodedExample]:
    """Return the examples without the last replay ones, so that replay is at most ``share`` of them.

    Where there is nothing but replay, it is what is to be learned.
    """
    others = sum(not example.is_replay for example in examples)
    room = len(examples) if share == 1.0 or not others else int(others * share / (1.0 - share))
    kept = []
    for example in examples:
        if example.is_replay:
            room -= 1
        if room >= 0 or not example.is_replay:
            kept.append(example)
    return kept


def _encode(
    example: Example, tokenizer: Tokenizer, line_ends: LineEnds, options: TrainingOptions
) -> EncodedExample | None:
    full = encode(example.prompt, tokenizer, sys.maxsize)
    fits = full.size <= options.prompt_tokens
    prompt = full if fits else encode(example.prompt, tokenizer, options.prompt_tokens)
    begun, whole = "", []
    if _has_target(example):
        # A begun word is generated again, as when serving. A rejected offer alone goes wrong after it.
        prompt = healed(prompt, tokenizer)
        begun = prompt.heal.decode()
        whole = encode_target(begun + example.target, tokenizer, ends=example.ends)
    target = whole[: options.target_tokens]
    rejected = encode_target(begun + example.rejected, tokenizer, ends=False) if example.rejected else []
    wrong = first_divergence(target, rejected)
    if not target and wrong is None:
        return None
    return EncodedExample(
        prompt=(*prompt.before, *prompt.suffix),
        middle=(prompt.trigger, *target[:-1]),
        target=tuple(target),
        wrong=wrong,
        weight=example.weight,
        is_replay=example.source is Source.REPLAY,
        is_shortened=len(target) < len(whole) or not fits,
        hinted=_hinted(example, tokenizer, options) if target else (),
        end=tokenizer.end,
        instead=line_ends.instead(target) if example.end is End.LINE and target == whole else (),
    )


def _hinted(example: Example, tokenizer: Tokenizer, options: TrainingOptions) -> tuple[int, ...]:
    """Return the prompt with what settled, in its place in the file, as one more piece in front."""
    if not options.distillation or example.source is Source.REPLAY:
        return ()
    before = "".join(example.prompt.prefix.splitlines(keepends=True)[-HINT_LINES:])
    after = "".join(example.prompt.suffix.splitlines(keepends=True)[:HINT_LINES])
    piece = Chunk(example.prompt.path or example.file, f"{before}{example.target}{after}")
    seen = replace(example.prompt, chunks=(*example.prompt.chunks, piece))
    prompt = healed(encode(seen, tokenizer, 2 * options.prompt_tokens), tokenizer)
    return (*prompt.before, *prompt.suffix)


def _has_target(example: Example) -> bool:
    """Whether it is known what should follow; a rejected offer alone does not say that nothing should."""
    return bool(example.target) or (example.ends and not example.rejected)


def first_divergence(target: Sequence[int], rejected: Sequence[int]) -> tuple[int, int] | None:
    """Return where ``rejected`` first differs from ``target``, and its token there.

    None where it does not, or only beyond the target's end, of which nothing is known.
    """
    if not target:
        return (0, rejected[0]) if rejected else None
    pairs = enumerate(zip(target, rejected, strict=False))
    return next(((at, wrong) for at, (wanted, wrong) in pairs if wanted != wrong), None)
