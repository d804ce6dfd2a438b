"""How long a promoted adapter takes to serve in a running server, and whether the cache survives it.

An adapter of random weights, large enough to matter, is put into the registry of a fresh home. Then, over and
over: it is promoted and taken off while the server is idle, and ghost text is asked for at one cursor until
an offer is the new adapter's. The prompt there was evaluated before, so that a cache that was lost would show
as evaluated tokens.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np
from pipe import Pipe, fresh_home, model_file, start_server, wait_until
from report import Figure, at_most, publish
from startup import ask, cpu_share, insertion, open_document

from learner.registry import Registry, adapter_id
from models.adapters import BASE_KEY
from models.checksum import sha256_of
from models.gguf_file import read_header
from models.home import Home

RANK = 16
SOURCE = "".join(
    f"def function_{n}(first, second):\n    return first * {n} + second\n\n\n" for n in range(60)
)
CURSOR_LINE = SOURCE.count("\n") - 3
"""After `return `: the lines below are the prompt's suffix."""
ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file instead of the model in use")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    options = parser.parse_args()
    model = model_file(options.model)
    with fresh_home() as root, tempfile.TemporaryDirectory() as folder:
        registry = Registry(Home(root))
        base = sha256_of(model)
        identity = add_random_adapter(registry, model, base, Path(folder) / "random.gguf")
        pipe = start_server(root, {"debounce": 0, "model": str(model)}, Path(folder))
        try:
            rows = [swap(pipe, registry, base, identity, number) for number in range(options.rounds)]
            idle = idle_percent(pipe, options.idle_seconds)
        finally:
            pipe.close()
    seconds = [row["seconds"] for row in rows]
    publish("swap", figures(rows, seconds, idle), {"model": model.name, "rank": RANK, "rounds": rows})


def figures(rows: list[dict[str, float]], seconds: list[float], idle: float) -> list[Figure]:
    evaluated = max(row["evaluated_tokens"] for row in rows)
    return [
        at_most("promotion to first completion with it, worst, s", max(seconds), 1.0),
        Figure("promotion to first completion with it, median, s", statistics.median(seconds)),
        Figure(
            "completion time before the promotion, median, s", statistics.median(r["before_s"] for r in rows)
        ),
        Figure("prompt, tokens", max(row["prompt_tokens"] for row in rows)),
        at_most("tokens evaluated again after a swap, worst", evaluated, 1, "the trigger alone is"),
        at_most("CPU of the idle server and engine, %", idle, 0.5),
    ]


def swap(pipe: Pipe, registry: Registry, base: str, identity: str, number: int) -> dict[str, float]:
    """Swap once (on and off by turns); return the seconds and what the first completion evaluated."""
    uri = open_document(pipe, Path(f"/project/swap_{number}.py"), SOURCE)
    column = len("    return ")
    line = CURSOR_LINE - 1
    # The rest of the cursor's line goes, so that there is something to complete.
    length = len(SOURCE.split("\n")[line])
    cut = insertion(uri, line, column, "")
    cut["contentChanges"][0]["range"]["end"] = {"line": line, "character": length}
    pipe.notify("textDocument/didChange", cut)
    wait_until(pipe, lambda status: status["warm"])
    ask(pipe, uri, line, column)
    before = pipe.command("nightschool.status")["last_completion"]["total_ms"] / 1000
    wanted = None if number % 2 else identity
    began = time.perf_counter()
    registry.promote(wanted, base)
    while pipe.command("nightschool.status")["adapter"] != wanted:
        time.sleep(0.005)
    ask(pipe, uri, line, column)
    seconds = time.perf_counter() - began
    last = pipe.command("nightschool.status")["last_completion"]
    if last["served"] != "model":
        raise SystemExit(f"the completion after the swap came from {last['served']}")
    return {
        "seconds": seconds,
        "before_s": before,
        "first_token_ms": last["first_token_ms"],
        "prompt_tokens": last["prompt_tokens"],
        "evaluated_tokens": last["evaluated_tokens"],
    }


def idle_percent(pipe: Pipe, seconds: float) -> float:
    time.sleep(5)
    return cpu_share(pipe, seconds)


def add_random_adapter(registry: Registry, model: Path, base: str, path: Path) -> str:
    """Write a random LoRA for every attention query and feed-forward gate, and take it into the registry."""
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, read_header(model).architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    writer.add_string(BASE_KEY, base)
    for tensor in gguf.GGUFReader(model).tensors:
        if tensor.name.endswith(("attn_q.weight", "ffn_gate.weight")):
            columns, rows = int(tensor.shape[0]), int(tensor.shape[1])
            for part, shape in (("lora_a", (RANK, columns)), ("lora_b", (rows, RANK))):
                writer.add_tensor(f"{tensor.name}.{part}", random.normal(0, 0.02, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    created = time.time()
    identity = adapter_id(created, "swap")
    registry.add(path, identity, {"base": base, "created": created})
    return identity


if __name__ == "__main__":
    main()
