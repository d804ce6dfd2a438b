"""Does llama.cpp compute with the exported adapter what torch trained? Compared logit by logit.

llama.cpp multiplies quantised weights with activations rounded to 8 bits, so the two never agree exactly.
What an export gets wrong (a scale, an order of rows, a layer) shows in the adapter's *effect*, the change of
the logits that it makes: both engines' effects are compared, with the adapter amplified until its effect
stands out from that rounding.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import log_softmax

from learner.night import NightError
from learner.night.lora import amplified
from models.adapters import free_adapter, load_adapter
from models.llama import AbortFlag, Context, ContextShape, Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from learner.night.network import Network
    from learner.night.packing import Pair
    from models.llama import Log

_EFFECT = 1.0
"""Logits (root mean square, over the vocabulary) that the effect is amplified to; rounding makes 0.1."""
_MOST_AMPLIFIED = 1e4
_MOST_DIVERGENCE = 0.05
"""Nats. Measured: 0.003 to 0.007 (SmolLM2) and 0.0015 (Qwen 1.5B)."""
_MOST_ERROR = 0.2
"""Measured with true exports: 0.10 to 0.13 (SmolLM2), 0.10 (Qwen 1.5B). With the rows of queries and keys
permuted for RoPE: 0.26 to 1.1, 0.45; with half of alpha: 0.50 to 0.77, 0.57."""
_ROWS = 16
"""The first tokens of a completion that are compared."""


@dataclass(frozen=True)
class Parity:
    """How near llama.cpp and torch are, over the rows compared."""

    rows: int
    divergence: float
    """KL(llama.cpp || torch) without the adapter, nats, mean over rows."""
    adapted_divergence: float
    """The same with the adapter, as it serves."""
    effect: float
    """The adapter's change of torch's logits, root mean square; as it serves."""
    amplified: float
    """How many times the adapter was amplified to compare effects."""
    error: float
    """The difference of the two amplified effects, relative to torch's."""


class ParityError(NightError):
    """llama.cpp would not serve what was trained."""


def check_parity(
    network: Network, gguf: Path, adapter: Path, pairs: Sequence[Pair], *, base_sha256: str, log: Log
) -> Parity:
    """Compare the network with its adapter to llama.cpp with ``gguf`` and the exported ``adapter``.

    Raises:
        ParityError: they differ by more than rounding explains.
        EngineError: llama.cpp cannot load the model or the adapter.
    """
    pairs = [(prompt, middle[:_ROWS]) for prompt, middle in pairs]
    states = network.prompt_states([prompt for prompt, _ in pairs], [middle for _, middle in pairs])
    base = _centred(network.logits(torch.cat([state.base for state in states])))

    def adapted(scale: float) -> Tensor:
        with torch.no_grad(), amplified(network, scale):
            return _centred(network.logits(network.middles(states)))

    scale, effect = 1.0, _rms(adapted(1.0) - base)
    if not effect:
        raise ParityError(f"the adapter {adapter} changes nothing: nothing was trained")
    # Step by step, since a small effect is mostly rounding.
    while (so_far := _rms(adapted(scale) - base)) < 0.8 * _EFFECT and scale < _MOST_AMPLIFIED:
        scale *= min(8.0, _EFFECT / so_far)
    cells = max(len(prompt) + len(middle) for prompt, middle in pairs)
    with _serving(gguf, adapter, cells, base_sha256, log) as (context, handle):
        their_base, their_adapted, their_amplified = _served(context, pairs, handle, (0.0, 1.0, scale))
    ours = adapted(scale) - base
    theirs = their_amplified - their_base
    parity = Parity(
        rows=len(base),
        divergence=_divergence(their_base, base),
        adapted_divergence=_divergence(their_adapted, adapted(1.0)),
        effect=effect,
        amplified=scale,
        error=_rms(theirs - ours) / _rms(ours),
    )
    _judge(parity, adapter)
    return parity


def _judge(parity: Parity, adapter: Path) -> None:
    # Written so that a NaN fails.
    if not parity.divergence <= _MOST_DIVERGENCE:
        raise ParityError(
            f"torch and llama.cpp disagree about the base model by {parity.divergence:.3f} nats, more than "
            f"{_MOST_DIVERGENCE}; report this with the model's name"
        )
    if not (parity.error <= _MOST_ERROR and parity.adapted_divergence <= 2 * _MOST_DIVERGENCE):
        raise ParityError(
            f"llama.cpp does not serve {adapter} as it was trained: its effect on the logits differs by "
            f"{parity.error:.0%} (at most {_MOST_ERROR:.0%}), the predictions by "
            f"{parity.adapted_divergence:.3f} nats; the adapter is refused, report this with the model's name"
        )


@contextmanager
def _serving(gguf: Path, adapter: Path, cells: int, digest: str, log: Log) -> Iterator[tuple[Context, Any]]:
    model = Model(gguf, gpu_layers=0, repack=False, log=log)
    try:
        context = Context(model, ContextShape(cells, 1, torch.get_num_threads(), outputs=_ROWS), AbortFlag())
        try:
            handle = load_adapter(model, adapter, digest)
            yield context, handle
            context.use_adapters([])
            free_adapter(handle)
        finally:
            context.close()
    finally:
        model.close()


def _served(context: Context, pairs: Sequence[Pair], handle: Any, scales: Sequence[float]) -> list[Tensor]:
    """Return llama.cpp's centred logits after each token of the completions, for each scale of the adapter.

    The adapter acts on the completions alone.
    """
    rows: list[list[np.ndarray]] = [[] for _ in scales]
    for prompt, middle in pairs:
        context.remove(0)
        context.use_adapters([])
        context.decode(list(prompt), 0, 0)
        for found, scale in zip(rows, scales, strict=True):
            context.remove(0, len(prompt))
            context.use_adapters([handle] if scale else [], scale)
            found += [np.array(row) for row in context.logits_after_each(list(middle), len(prompt), 0)]
    return [_centred(torch.from_numpy(np.stack(found))) for found in rows]


def _centred(logits: Tensor) -> Tensor:
    """Return logits whose rows have the mean 0: adding a constant to a row changes no prediction."""
    return (logits - logits.mean(1, keepdim=True)).cpu()


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _divergence(theirs: Tensor, ours: Tensor) -> float:
    wanted, found = log_softmax(theirs, 1), log_softmax(ours, 1)
    return float((wanted.exp() * (wanted - found)).sum(1).mean())
