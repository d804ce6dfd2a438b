"""Training: one step after another, until all are done, time runs out, or something else comes first."""

from __future__ import annotations

import math
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import torch

from learner.give_way import InterruptionError, Reason
from learner.job import Progress, TrainingResult
from learner.night import NightError
from learner.night.allocator import give_back
from learner.night.batches import steps
from learner.night.checkpoint import Checkpoint
from learner.night.lora import adapter_state, load_adapter_state
from learner.night.pace import Pace, plan
from learner.night.prompts import Evaluation, Prompts
from learner.night.stepper import Ready, Stepper, learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from learner.give_way import GiveWay
    from learner.job import TrainingOptions
    from learner.night.batches import Step
    from learner.night.checkpoint import CheckpointFile
    from learner.night.encoding import EncodedExample
    from learner.night.network import Network
    from learner.night.prompts import Prepared

_MOST_DROPPED = 5
"""Steps in a row whose loss may be no number."""
_WORKING_BYTES = 900 << 20
"""For activations, gradients, and the window of prompts in use."""
_STEP_BYTES = 400 << 20
"""For activations and gradients alone."""
_LEFT_BYTES = 800 << 20
"""Of the machine's memory, left to other programs."""
_RECENT = 20
"""Steps that the loss on display is averaged over."""


def train(
    network: Network,
    examples: Sequence[EncodedExample],
    options: TrainingOptions,
    *,
    checkpoint: CheckpointFile,
    give_way: GiveWay,
    on_progress: Callable[[Progress], None],
    spent_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingResult:
    """Train the network's adapter on ``examples``, which are in the order of their worth.

    A checkpoint of the same job is gone on from; the result is the same to the last bit as without the stop.

    Args:
        spent_s: how much of the options' minutes this process has used already.
        clock: seconds, monotonic.

    Raises:
        InterruptionError: it was told to stop; the checkpoint has what was done.
        NightError: it cannot go on.
        OSError: the checkpoint cannot be written.
    """
    training = Training(network, examples, options, checkpoint, give_way, on_progress, clock, spent_s)
    with _held_inside(network, training.make_room):
        training.begin()
        training.run()
    return training.result()


class Training:
    """The state of one training, most of which is its checkpoint."""

    def __init__(
        self,
        network: Network,
        examples: Sequence[EncodedExample],
        options: TrainingOptions,
        checkpoint: CheckpointFile,
        give_way: GiveWay,
        on_progress: Callable[[Progress], None],
        clock: Callable[[], float],
        spent_s: float,
    ) -> None:
        self._network, self._options = network, options
        self._file, self._give_way, self._on_progress = checkpoint, give_way, on_progress
        self._clock, self._began = clock, clock() - spent_s - give_way.paused_s
        self._pace = Pace()
        self._evaluation = Evaluation(network, {} if options.anchor_to_base else adapter_state(network))
        self._given = examples
        mean_rows = sum(len(example.middle) for example in examples) / len(examples)
        self._stepper = Stepper(network, options, mean_rows=mean_rows, on_short_memory=self._on_short_memory)
        self._prompts = Prompts(self._evaluation, [], lambda: 0)
        self._schedule: list[Step] = []
        self._state = Checkpoint([], 0, {}, {})

    def begin(self) -> None:
        """Go on from the checkpoint, or see how much there is time for."""
        state = self._file.read()
        if state:
            load_adapter_state(self._network, state.adapter)
            self._stepper.optimizer.load_state_dict(state.optimizer)
            self._began -= state.seconds
        self._state = state or self._planned()
        examples = [self._given[index] for index in self._state.examples]
        self._schedule = steps(len(examples), self._options.batch, self._state.epochs, self._options.seed)
        epochs = self._state.epochs
        self._prompts = Prompts(
            self._evaluation, examples, lambda: self._left(_STEP_BYTES) if epochs > 1 else 0
        )
        self._examples = examples

    def run(self) -> None:
        """Take the steps that are left."""
        state, saved_at, in_a_row = self._state, self._clock(), 0
        try:
            for step in self._schedule[state.step :]:
                if self._is_time_up():
                    break
                in_a_row = 0 if self._take(step) else in_a_row + 1
                if in_a_row == _MOST_DROPPED or state.dropped == len(self._schedule):
                    raise NightError(
                        f"the loss was no number in {in_a_row} steps in a row (learning rate "
                        f"{self._options.learning_rate:g}); if it stays so, choose another model"
                    )
                if self._clock() - saved_at >= self._options.checkpoint_seconds:
                    self._save()
                    saved_at = self._clock()
        except InterruptionError:
            self._save()
            raise

    def result(self) -> TrainingResult:
        state, chosen = self._state, len(self._state.examples)
        tenth = max(1, len(state.losses) // 10)
        return TrainingResult(
            examples=chosen,
            left_out={"no time": len(self._given) - chosen} if chosen < len(self._given) else {},
            epochs=state.epochs * state.step / len(self._schedule),
            steps=state.step,
            dropped_steps=state.dropped,
            first_loss=_mean(state.losses[:tenth]),
            last_loss=_mean(state.losses[-tenth:]),
            seconds=self._spent(),
            peak_mb=peak_mb(),
            dtype=str(self._network.dtype).removeprefix("torch."),
            notes=tuple(state.notes),
            prompt_seconds=self._pace.evaluated_s,
        )

    def make_room(self) -> None:
        """Wait while something else comes first."""
        self._give_way.make_room(self._on_pause)

    def _planned(self) -> Checkpoint:
        """Measure the pace on a first batch, and plan what the time is enough for."""
        options, given = self._options, self._given
        self._try_out(given[: options.batch])
        # The first time, multiplications are compiled.
        self._pace = Pace()
        prepared = self._try_out(given[: options.batch])
        needed = sum(one.bytes for one in prepared) / self._pace.evaluated_tokens * _tokens(given)
        kept = min(1.0, self._left(_WORKING_BYTES) / needed)
        planned = plan(given, options, self._pace, 60.0 * options.minutes - self._spent(), kept)
        notes = list(self._state.notes)
        if planned.epochs < options.epochs:
            notes.append(f"there was time for {planned.epochs} of {options.epochs} epochs")
        if len(planned.examples) < len(given):
            notes.append(f"there was time for {len(planned.examples)} of {len(given)} examples")
        return Checkpoint(
            planned.examples,
            planned.epochs,
            adapter_state(self._network),
            self._stepper.optimizer.state_dict(),
            notes=notes,
        )

    def _try_out(self, probe: Sequence[EncodedExample]) -> list[Prepared]:
        """Measure the pace on a batch, without learning from it."""
        with self._timed(tokens=sum(example.size for example in probe)):
            prepared = self._evaluation(probe)
        with self._timed(rows=sum(len(example.middle) for example in probe)):
            self._stepper.gradient([Ready(*pair) for pair in zip(probe, prepared, strict=True)])
        return prepared

    def _take(self, step: Step) -> bool:
        """Take one step; False where its loss or gradient is no number, and nothing was learned."""
        self.make_room()
        batch = self._ready(step)
        with self._timed(rows=sum(len(one.example.middle) for one in batch)):
            outcome = self._stepper.gradient(batch)
            rate = learning_rate(self._state.step, len(self._schedule), self._options)
            is_learned = math.isfinite(outcome.log_loss) and self._stepper.update(rate)
        self._state.step += 1
        if is_learned:
            self._state.losses.append((outcome.log_loss, outcome.weight))
        else:
            self._state.dropped += 1
        self._tell()
        return is_learned

    def _ready(self, step: Step) -> list[Ready]:
        if not self._prompts.has(step.window):
            with self._timed(tokens=_tokens([self._examples[index] for index in step.window])):
                self._prompts.of(step.window)
        prepared = self._prompts.of(step.window)
        return [Ready(self._examples[index], prepared[index]) for index in step.examples]

    def _left(self, working: int) -> int:
        """Return the bytes for evaluated prompts: measured, not counted.

        Of its own limit the process has left what it has never held. That peak has in it what a window's
        evaluation and a step take for a moment, and what the allocator keeps; every prompt that is kept
        raises it. Of the machine's memory, what is available beside ``working`` bytes for such moments.
        """
        give_back()
        if self._network.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._network.device)
            return max(0, free - working)
        own = (self._options.memory_mb - peak_mb()) * 1_000_000
        return max(0, min(own, psutil.virtual_memory().available - working - _LEFT_BYTES))

    def _is_time_up(self) -> bool:
        state = self._state
        if not state.step or self._spent() < 60.0 * self._options.minutes:
            return False
        done = state.epochs * state.step / len(self._schedule)
        state.notes.append(f"time ran out after {done:.2f} of {state.epochs} epochs")
        return True

    def _on_short_memory(self, rows: int) -> None:
        self._prompts.forget()
        self._state.notes.append(f"memory ran out; went on with {rows} tokens at once")

    def _on_pause(self, reason: Reason) -> None:
        if reason is Reason.MEMORY:
            self._prompts.forget()
        self._on_progress(Progress("pause", self._state.step, len(self._schedule), note=reason.sentence))

    def _tell(self) -> None:
        state = self._state
        self._on_progress(
            Progress(
                "train",
                state.step,
                len(self._schedule),
                _mean(state.losses[-_RECENT:]),
                self._seconds_left(),
            )
        )

    def _seconds_left(self) -> float:
        """Return what the steps to come will take, evaluations included."""
        tokens = rows = 0
        at_hand: set[tuple[int, ...]] = set()
        for step in self._schedule[self._state.step :]:
            rows += sum(len(self._examples[index].middle) for index in step.examples)
            if step.window not in at_hand and not self._prompts.has(step.window):
                tokens += _tokens([self._examples[index] for index in step.window])
            at_hand.add(step.window)
        return self._pace.seconds(tokens, rows)

    def _save(self) -> None:
        state = self._state
        state.adapter = adapter_state(self._network)
        state.optimizer = self._stepper.optimizer.state_dict()
        state.seconds = self._spent()
        self._file.write(state)

    def _spent(self) -> float:
        """Return the seconds of work so far, also before a stop, without pauses."""
        return self._clock() - self._began - self._give_way.paused_s

    @contextmanager
    def _timed(self, *, tokens: int = 0, rows: int = 0) -> Iterator[None]:
        began = self._spent()
        yield
        self._pace.note(self._spent() - began, tokens=tokens, rows=rows)


@contextmanager
def _held_inside(network: Network, make_room: Callable[[], None]) -> Iterator[None]:
    """Call ``make_room`` before every layer: a prompt's evaluation takes too long to wait for its end."""
    hooks = [
        # torch types what is in a ModuleList as a module or a tensor.
        block.attn_norm.register_forward_pre_hook(lambda *_: make_room())  # type: ignore[union-attr]
        for block in network.blk
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _tokens(examples: Sequence[EncodedExample]) -> int:
    return sum(example.size for example in examples)


def _mean(losses: Sequence[tuple[float, float]]) -> float:
    """Return the mean log-loss, weighted; 0 where no token was wanted."""
    weight = sum(weight for _, weight in losses)
    return sum(loss * weight for loss, weight in losses) / weight if weight else 0.0


def peak_mb() -> int:
    """Return the most memory that this process has held, in megabytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset // 1_000_000
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1_000_000 if sys.platform == "darwin" else peak * 1024 // 1_000_000
