"""What the server and the engine process say to each other: one JSON object per line.

To the engine: ``start``, ``complete``, ``cancel``, ``adapter``, ``score``. From it: ``status``, and for each
``complete``, ``adapter`` and ``score`` exactly one ``reply`` with its number: a result, an error, or neither
(stopped).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.engine import (
    Candidate,
    Completion,
    EngineOptions,
    EngineState,
    EngineStatus,
    Purpose,
    Request,
    Scored,
    Stop,
    Timings,
)
from models.line_end import End
from models.prompt import Chunk, Prompt

Message = dict[str, Any]


def to_line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":"), default=str).encode("ascii") + b"\n"


def from_line(line: bytes) -> Message:
    return json.loads(line)


def start(model: Path, options: EngineOptions, adapter: Path | None) -> Message:
    return {"kind": "start", "model": str(model), "options": asdict(options) | {"adapter": adapter}}


def options_of(message: Message) -> EngineOptions:
    options: Message = dict(message["options"])
    for name in ("tuning", "adapter"):
        options[name] = None if options[name] is None else Path(options[name])
    return EngineOptions(**options)


def complete(number: int, request: Request) -> Message:
    return {"kind": "complete", "number": number, "request": asdict(request)}


def request_of(message: Message) -> Request:
    fields: Message = dict(message["request"])
    fields["prompt"] = _prompt_of(fields["prompt"])
    fields["near"] = _prompt_of(fields["near"]) if fields["near"] else None
    fields["purpose"], fields["stop"] = Purpose(fields["purpose"]), Stop(fields["stop"])
    return Request(**fields)


def score(number: int, prompt: Prompt, target: str, end: End) -> Message:
    return {"kind": "score", "number": number, "prompt": asdict(prompt), "target": target, "end": end}


def score_of(message: Message) -> tuple[Prompt, str, End]:
    return _prompt_of(message["prompt"]), message["target"], End(message["end"])


def _prompt_of(fields: Message) -> Prompt:
    chunks = tuple(Chunk(**chunk) for chunk in fields["chunks"])
    return Prompt(fields["prefix"], fields["suffix"], fields["path"], fields["repository"], chunks)


def reply(
    number: int, *, completion: Completion | None = None, scored: Scored | None = None, error: str = ""
) -> Message:
    return {
        "kind": "reply",
        "number": number,
        "completion": asdict(completion) if completion else None,
        "scored": asdict(scored) if scored else None,
        "error": error,
    }


def completion_of(message: Message) -> Completion | None:
    fields = message["completion"]
    if fields is None:
        return None
    candidates = tuple(
        Candidate(found["text"], tuple(found["logprobs"]), found["stopped_by"])
        for found in fields["candidates"]
    )
    return Completion(**(fields | {"candidates": candidates, "timings": Timings(**fields["timings"])}))


def scored_of(message: Message) -> Scored | None:
    fields = message["scored"]
    return Scored(tuple(fields["logprobs"]), tuple(fields["ranks"])) if fields else None


def status(found: EngineStatus) -> Message:
    return {"kind": "status", **asdict(found)}


def status_of(message: Message) -> EngineStatus:
    return EngineStatus(
        EngineState(message["state"]), message["model"], message["message"], message["adapter"]
    )
