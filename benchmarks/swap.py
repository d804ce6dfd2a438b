"""How long a promoted adapter takes to serve in a running server, and whether the cache survives it.

An adapter of random weights, large enough to matter, is put into the registry of a fresh home. Then, over and
over: ghost text is asked for at a cursor whose prompt is evaluated; asked for again without a cached answer,
the control; and once more after the adapter was promoted (or taken off, by turns), as soon as the server says
that it serves. What is prefetched meanwhile changes some cells at the cursor in both cases; a cache that the
swap had lost would show as the whole prompt.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from pipe import Pipe, fresh_home, model_file, start_server, wait_until
from report import Figure, at_most, publish
from startup import ask, insertion, open_document

from learner.registry import Registry, adapter_id
from models.adapters import BASE_KEY
from models.checksum import sha256_of
from models.gguf_file import read_header
from models.home import Home

RANK = 16
SOURCE = "".join(
    f"def function_{n}(first, second):\n    return first * {n} + second\n\n\n" for n in range(60)
)
LINE, COLUMN = SOURCE.count("\n") - 23, len("    return ")
"""The cursor, after a `return `; the lines below are the prompt's suffix."""
ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file instead of the model in use")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    model = model_file(options.model)
    with fresh_home() as root, tempfile.TemporaryDirectory() as folder:
        registry = Registry(Home(root))
        base = sha256_of(model)
        identity = add_random_adapter(registry, model, base, Path(folder) / "random.gguf")
        settings = {"debounce": 0, "model": str(model)}
        pipe = start_server(root, settings, Path(folder))
        try:
            rows = []
            for number in range(options.rounds):
                uri = warm_cursor(pipe, number)
                row = complete_again(pipe, uri, settings)
                rows.append(row | swap(pipe, uri, registry, base, None if number % 2 else identity))
        finally:
            pipe.close()
    publish("swap", figures(rows), {"model": model.name, "rank": RANK, "rounds": rows})


def figures(rows: list[dict[str, float]]) -> list[Figure]:
    seconds = [row["seconds"] for row in rows]
    again = [row["control_evaluated"] for row in rows]
    return [
        at_most("promotion to first completion with it, worst, s", max(seconds), 1.0),
        Figure("promotion to first completion with it, median, s", statistics.median(seconds)),
        Figure("a completion without a swap, median, s", statistics.median(row["control_s"] for row in rows)),
        Figure("prompt, tokens", max(row["prompt_tokens"] for row in rows)),
        Figure("of these evaluated again without a swap, worst", max(again)),
        at_most("and after one, worst", max(row["evaluated_tokens"] for row in rows), max(16, *again)),
    ]


def warm_cursor(pipe: Pipe, number: int) -> str:
    """Open a document, make room at the cursor, and have its prompt evaluated; return the document."""
    uri = open_document(pipe, Path(f"/project/swap_{number}.py"), SOURCE)
    cut = insertion(uri, LINE, COLUMN, "")
    end = {"line": LINE, "character": len(SOURCE.split("\n")[LINE])}
    cut["contentChanges"][0]["range"] = {"start": {"line": LINE, "character": COLUMN}, "end": end}
    pipe.notify("textDocument/didChange", cut)
    wait_until(pipe, lambda status: status["warm"])
    ask(pipe, uri, LINE, COLUMN)
    return uri


def complete_again(pipe: Pipe, uri: str, settings: dict[str, Any]) -> dict[str, float]:
    """Complete without a cached answer, but also without a swap."""
    began = time.perf_counter()
    pipe.notify("workspace/didChangeConfiguration", {"settings": settings})  # drops the cached answers
    last, seconds = completed(pipe, uri, began)
    return {"control_s": seconds, "control_evaluated": last["evaluated_tokens"]}


def swap(pipe: Pipe, uri: str, registry: Registry, base: str, wanted: str | None) -> dict[str, float]:
    """Let ``wanted`` serve; return the seconds to the first completion with it, and what that evaluated."""
    began = time.perf_counter()
    registry.promote(wanted, base)
    while pipe.command("nightschool.status")["adapter"] != wanted:
        time.sleep(0.005)
    last, seconds = completed(pipe, uri, began)
    names = ("first_token_ms", "prompt_tokens", "evaluated_tokens")
    return {"seconds": seconds, **{name: last[name] for name in names}}


def completed(pipe: Pipe, uri: str, began: float) -> tuple[dict[str, Any], float]:
    """Ask for ghost text; return what the engine counted and the seconds since ``began``."""
    ask(pipe, uri, LINE, COLUMN)
    seconds = time.perf_counter() - began
    last = pipe.command("nightschool.status")["last_completion"]
    if last["served"] != "model":
        raise SystemExit(f"the completion came from {last['served']}, not from the model")
    return last, seconds


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
