"""The engine process by itself: decode rate against llama.cpp's own loop, abort latency, memory, carry.

Run alone: ``python benchmarks/decode.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from estimates import spread
from pipe import model_file
from report import at_least, at_most, publish

from models.engine import Completion, EngineOptions, EngineState, EngineStatus, Purpose, Request, Stop
from models.prompt import Prompt
from models.supervisor import ChildEngine

CELLS = 8192
TOKENS = 48
SOURCE = Path(statistics.__file__).read_text("utf-8")
LOOP = """
import ctypes, sys, time
from llama_cpp import llama_cpp as llama
model_params = llama.llama_model_default_params()
model = llama.llama_model_load_from_file(sys.argv[1].encode(), model_params)
params = llama.llama_context_default_params()
params.n_ctx, params.n_outputs_max = 2048, 16
params.n_threads = params.n_threads_batch = int(sys.argv[2])
context = llama.llama_init_from_model(model, params)
sampler = llama.llama_sampler_init_greedy()
text = sys.argv[3].encode()
tokens = (llama.llama_token * 2048)()
vocabulary = llama.llama_model_get_vocab(model)
count = llama.llama_tokenize(vocabulary, text, len(text), tokens, 2048, False, False)
llama.llama_decode(context, llama.llama_batch_get_one(tokens, count))
token = (llama.llama_token * 1)(llama.llama_sampler_sample(sampler, context, -1))
start = time.perf_counter()
for _ in range(int(sys.argv[4])):
    llama.llama_decode(context, llama.llama_batch_get_one(token, 1))
    token[0] = llama.llama_sampler_sample(sampler, context, -1)
print((time.perf_counter() - start) / int(sys.argv[4]))
"""
"""llama.cpp's own loop: its batch, its sampler, its default threads' behaviour, no abort callback."""


class Engine:
    """The real engine process, ready."""

    def __init__(self, model: Path, threads: int) -> None:
        self._ready = asyncio.Event()
        options = EngineOptions(threads=threads, cells=CELLS)
        self.child = ChildEngine(model, options, self._note)

    def _note(self, status: EngineStatus) -> None:
        if status.state in (EngineState.READY, EngineState.FAILED):
            self._ready.set()

    async def __aenter__(self) -> Engine:
        await self.child.start()
        await self._ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.child.close()

    async def complete(self, request: Request) -> Completion:
        completion = await self.child.complete(request)
        assert completion is not None
        return completion


async def decode_ms(model: Path, threads: int, prompt: str) -> float:
    """Return the milliseconds a generated token takes, prompt apart."""
    async with Engine(model, threads) as engine:
        # A block at indentation -1 never ends by itself before the tokens are spent.
        request = Request(Prompt(prompt, ""), stop=Stop.BLOCK, indent=-1, max_tokens=TOKENS)
        timings = (await engine.complete(request)).timings
        return (timings.total_ms - timings.first_token_ms) / (timings.generated_tokens - 1)


def loop_ms(model: Path, threads: int, prompt: str) -> float:
    """Return the same for llama.cpp's own loop."""
    command = [sys.executable, "-c", LOOP, str(model), str(threads), prompt, str(TOKENS)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return 1000 * float(out.split()[-1])


async def abort_ms(engine: Engine, times: int) -> list[float]:
    """Return how long a newer request waits while 1,500 tokens of an older one are being evaluated.

    From sending it to the start of its computation, and the reply's way back.
    """
    newer = Request(Prompt("x = ", "\n"), max_tokens=1)
    await engine.complete(newer)
    waits = []
    for turn in range(times):
        text = f"# {turn}\n" + SOURCE[:6000]
        older = asyncio.create_task(engine.child.complete(Request(Prompt(text, ""), max_tokens=1)))
        await asyncio.sleep(0.2 + 0.037 * turn)
        sent_at = time.perf_counter()
        timings = (await engine.complete(newer)).timings
        elapsed_ms = 1000 * (time.perf_counter() - sent_at)
        waits.append(elapsed_ms - (timings.total_ms - timings.waited_ms))
        assert await older is None
    return waits


async def carry_ms(engine: Engine) -> dict[str, list[float]]:
    """Return times to the first token while typing a line: with the suffix carried, and all evaluated."""
    cursor = SOURCE.index("def mean(data):") - 2
    typed = "total = sum(data) / len(data)"
    prefix, suffix = SOURCE[cursor - 2000 : cursor] + "\n", "\n" + SOURCE[cursor : cursor + 1500]
    times: dict[str, list[float]] = {"carried": [], "full": []}
    await engine.complete(Request(Prompt(prefix, suffix), max_tokens=1))
    for length in range(1, len(typed)):
        request = Request(Prompt(prefix + typed[:length], suffix), max_tokens=1)
        times["carried"].append((await engine.complete(request)).timings.first_token_ms)
        await asyncio.sleep(0.3)
    for length in range(1, len(typed), 9):
        prompt = Prompt(prefix + typed[:length], suffix)
        timings = (await engine.complete(Request(prompt, Purpose.WARM))).timings
        times["full"].append(timings.total_ms)
    return times


def memory_mb(process: int, model: Path) -> float:
    """Return the engine's resident memory above the model file and the cache of Qwen2.5-Coder-1.5B."""
    cells_bytes = CELLS * 28 * 2 * 256 * 2
    return (psutil.Process(process).memory_info().rss - model.stat().st_size - cells_bytes) / 1e6


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, metavar="GGUF", help="by default the model in use")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    model, threads = model_file(arguments.model), arguments.threads
    prompt = SOURCE[:600]
    pairs = []
    for _ in range(4):
        loop = await asyncio.to_thread(loop_ms, model, threads, prompt)
        pairs.append((await decode_ms(model, threads, prompt), loop))
    ours, loops = (statistics.median(column) for column in zip(*pairs, strict=True))
    async with Engine(model, threads) as engine:
        carried = await carry_ms(engine)
        waits = await abort_ms(engine, 20)
        assert engine.child.process
        memory = memory_mb(engine.child.process, model)
    figures = [
        at_least("decode rate, ours / llama.cpp's own loop", loops / ours, 0.95),
        at_most("a newer request starts while an older one is evaluated, p95, ms", spread(waits).p95, 30),
        at_most("engine memory above model file and KV cache, MB", memory, 250),
        at_most(
            "a keystroke's first token, suffix carried / evaluated",
            statistics.median(carried["carried"]) / statistics.median(carried["full"]),
            1,
        ),
    ]
    details = {"decode_ms": pairs, "waits_ms": waits, "first_token_ms": carried}
    publish("decode", figures, details)


if __name__ == "__main__":
    asyncio.run(main())
