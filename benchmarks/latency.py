"""Ghost text while typing, through the real server's pipe, beside a peer that gets the same text.

Each key is asked of both sides, one after the other, the order alternating; the side that is not measured is
stopped (ours, by a signal) or idle. Our cache of predictions is emptied before each key, so that every key is
the engine's work; ``--as-used`` replays the same keys at a typist's pace with the cache on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from comparison import accuracy, speed
from cursors import installed_files, typings
from estimates import ratio_of_medians, spread
from peer import HighLevelLlama, LlamaServer, offered
from pipe import fresh_home, model_file, start_server, wait_until
from replay import BUDGETS, Editor
from report import RESULTS, SCRATCH, Figure, append_row, at_most, publish, read_rows
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cursors import Key, Typing
    from peer import Peer
    from pipe import Pipe

Row = dict[str, Any]
SIDES = ("ours", "peer")
TARGETS = {"ours": ((0.15, 0.3), (0.35, 0.5)), "llama.vim": ((0.08, None), (0.25, None))}
"""The greatest ratios to llama-server: of the first token's median and p95, of the finished line's."""
BATCH = 4096
"""Holds both windows whole: llama-server sees the same text as we do."""
GREEDY_EVERY = 3
"""Keys from one on which the peer is also asked greedily: that call is untimed, and as slow as the other."""
PACE_S = 0.2
"""Between two keys of ``--as-used``: sixty words a minute."""


def main() -> None:
    options = parse()
    rows_at = SCRATCH / f"{options.name}.jsonl"
    model = model_file(options.model)
    files = installed_files(options.files, options.seed)
    work = typings(files, options.keys, options.seed)
    if not options.report:
        finished = run(options, model, work, rows_at)
        if not finished:
            sys.exit(f"stopped after {options.minutes:g} min; the same command goes on where it stopped")
    rows = read_rows(rows_at)
    if not rows:
        sys.exit(f"{rows_at} holds no keystrokes; run without --report first")
    figures = as_used_figures(rows) if options.as_used else figures_of(rows, options)
    publish(
        options.name, figures, {"files": sorted({row["file"] for row in rows}), **summary(rows)}, options.to
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--window", choices=tuple(BUDGETS), default="ours", help="whose budgets both sides use")
    add("--peer", choices=("llama-server", "create-completion"), default="llama-server")
    add("--as-used", action="store_true", help="ours alone, at a typist's pace, with its cache")
    add("--files", type=int, default=12)
    add("--keys", type=int, default=26, help="per file")
    add("--threads", type=int, default=2)
    add("--max-tokens", type=int, default=64)
    add("--seed", type=int, default=1)
    add("--model", type=Path, metavar="GGUF", help="by default the model in use")
    add("--server", type=Path, default=SCRATCH / "peer/build/bin/llama-server", metavar="FILE")
    add("--batch", type=int, default=BATCH, help="llama-server's; llama.vim recommends 1024")
    add("--minutes", type=float, default=float("inf"), help="stop after the file begun by then")
    add("--report", action="store_true", help="only print the figures of the last run")
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    options = parser.parse_args()
    pass_name = "as-used" if options.as_used else options.peer
    batch = f"-batch-{options.batch}" if options.batch != BATCH else ""
    options.name = f"latency-{options.window}-{pass_name}{batch}"
    return options


def run(options: argparse.Namespace, model: Path, work: list[Typing], rows_at: Path) -> bool:
    """Replay the typings that ``rows_at`` does not have whole; return whether all are done."""
    SCRATCH.mkdir(exist_ok=True)
    done = whole(read_rows(rows_at), options.keys)
    rows_at.write_text("".join(json.dumps(row) + "\n" for row in done))
    left = [(n, typing) for n, typing in enumerate(work) if n not in {row["typing"] for row in done}]
    if not left:
        return True
    deadline = time.monotonic() + 60 * options.minutes
    peer = None if options.as_used else start_peer(options, model)
    try:
        for number, typing in left:
            if time.monotonic() > deadline:
                return False
            for at, row in enumerate(replay(typing, peer, model, options)):
                append_row(rows_at, {"typing": number, "key": at, "file": typing.file, **row})
            Console().print(f"{number + 1}/{len(work)} {typing.file}")
    finally:
        if peer:
            peer.close()
    return True


def replay(typing: Typing, peer: Peer | None, model: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Type into a server of its own, so that no file's figures depend on the files before it."""
    settings = settings_of(options, model)
    with fresh_home() as home, tempfile.TemporaryDirectory() as folder:
        pipe = start_server(home, settings)
        try:
            wait_until(pipe, lambda status: status["engine"] == "ready")
            editor = Editor(pipe, typing, Path(folder), BUDGETS[options.window])
            if peer is None:
                yield from alone(editor, typing)
            else:
                yield from beside(editor, typing, pipe, settings, peer, options)
            editor.close()
        finally:
            pipe.close()


def settings_of(options: argparse.Namespace, model: Path) -> Row:
    return {
        "model": str(model),
        "threads": options.threads,
        "max_tokens": options.max_tokens,
        "multi_line": False,
        "debounce": 0,
        "context": asdict(BUDGETS[options.window]),
    }


def start_peer(options: argparse.Namespace, model: Path) -> Peer:
    if options.peer == "create-completion":
        return HighLevelLlama(model, threads=options.threads)
    if not options.server.exists():
        sys.exit(f"{options.server} is missing; run: benchmarks/build_peer.sh {SCRATCH / 'peer'}")
    log = SCRATCH / "llama-server.log"
    return LlamaServer(options.server, model, threads=options.threads, batch=options.batch, log=log)


def alone(editor: Editor, typing: Typing) -> Iterator[Row]:
    """Type at a pace, keeping our cache; each row has our reply."""
    editor.warm_up()
    for key in typing.keys:
        began = time.monotonic()
        editor.press(key)
        yield {"kind": key.kind, "target": key.target, "ours": asdict(editor.reply(key))}
        time.sleep(max(0.0, began + PACE_S - time.monotonic()))


def beside(
    editor: Editor, typing: Typing, pipe: Pipe, settings: Row, peer: Peer, options: argparse.Namespace
) -> Iterator[Row]:
    """Ask both sides at each key; each row has both answers. What comes before the first is not counted."""
    editor.warm_up()
    pipe.pause()
    peer.complete(editor.prompt(), options.max_tokens)
    for at, key in enumerate(typing.keys):
        editor.press(key)
        row: Row = {"kind": key.kind, "target": key.target}
        for side in ("ours", "peer") if at % 2 else ("peer", "ours"):
            row[side] = ours(editor, key, pipe, settings) if side == "ours" else theirs(editor, peer, options)
        if isinstance(peer, LlamaServer) and options.window == "ours" and at % GREEDY_EVERY == 0:
            prompt = editor.prompt()
            row["peer"]["greedy"] = offered(peer.greedy(prompt, options.max_tokens).text, prompt)
        yield row


def ours(editor: Editor, key: Key, pipe: Pipe, settings: Row) -> Row:
    """Return our reply from the engine: predictions are dropped with the settings they were made under."""
    pipe.resume()
    pipe.notify("workspace/didChangeConfiguration", {"settings": settings})
    pipe.command("nightschool.status")  # answered after the settings are in force
    reply = editor.reply(key)
    pipe.pause()
    return asdict(reply)


def theirs(editor: Editor, peer: Peer, options: argparse.Namespace) -> Row:
    prompt = editor.prompt()
    answer = peer.complete(prompt, options.max_tokens)
    return asdict(answer) | {"text": offered(answer.text, prompt)}


def whole(rows: list[Row], keys: int) -> list[Row]:
    """Return the rows of the typings whose last key is there."""
    ended = {row["typing"] for row in rows if row["key"] == keys - 1}
    return [row for row in rows if row["typing"] in ended]


def figures_of(rows: list[Row], options: argparse.Namespace) -> list[Figure]:
    """Return the figures over the keys at which our engine was asked, and the accuracy over all keys."""
    engine = [row for row in rows if row["ours"]["served"] == "model"]
    first, line = TARGETS[options.window] if options.peer == "llama-server" else ((None, None), (None, None))
    prompts = (np.array([row[side]["prompt_tokens"] for row in engine]) for side in SIDES)
    return [
        Figure("prompt tokens, ours / theirs", ratio_of_medians(*prompts), note="about 1: the same text"),
        *speed(engine, "first_ms", "first token", options.peer, first),
        *speed(engine, "total_ms", "finished line", options.peer, line),
        *accuracy(rows, "text", f"ours minus {options.peer}"),
        *accuracy(rows, "greedy", f"ours minus {options.peer}, greedy"),
    ]


def as_used_figures(rows: list[Row]) -> list[Figure]:
    """Describe what a typist waits for: most keys are answered from a prediction made before."""
    total = spread([row["ours"]["total_ms"] for row in rows])
    cached = [row["ours"]["total_ms"] for row in rows if row["ours"]["served"] != "model"]
    figures = [
        Figure("answer per key as used, ms, median", total.median, note=f"{total.count} keys"),
        Figure("answer per key as used, ms, p95", total.p95),
        Figure("keys served without the model", len(cached) / len(rows)),
    ]
    if cached:
        figures.append(
            at_most("served without the model, ms, p95", spread(cached).p95, 3, f"{len(cached)} keys")
        )
    return figures


def summary(rows: list[Row]) -> Row:
    """Return the distributions behind the figures."""
    sides = [side for side in SIDES if side in rows[0]]
    numbers = ("first_ms", "total_ms", "prompt_tokens", "evaluated_tokens", "generated_tokens")
    return {
        "files": sorted({row["file"] for row in rows}),
        "keys": len(rows),
        "kinds": Counter(row["kind"] for row in rows),
        "served": Counter(row["ours"]["served"] for row in rows),
        "spread": {
            side: {name: spread([row[side][name] for row in rows]).as_json() for name in numbers}
            for side in sides
        },
    }


if __name__ == "__main__":
    main()
