"""What was asked and answered, one line each: a replay that was killed goes on after the last whole line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from learner.facts import Served
from learner.replay.asking import Prediction
from models.home import private_directory, private_opener
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO


class Phase(StrEnum):
    STREAM = "stream"
    """Predicted, scored, revealed, learned."""
    BLOCK = "block"
    """The future block, from which nothing is learned."""
    RETURN = "return"
    """The same block once more, after another project."""


@dataclass(frozen=True)
class Row:
    """One arm's answer to one question, and what it was worth."""

    project: str
    phase: Phase
    arm: str
    interactions: int
    """How many the arm had learned from, over all projects."""
    number: int
    """Of the question in its plan."""
    file: str
    duplicate: bool
    typed: int
    """Characters that were to be typed."""
    shown: bool
    taken: str
    saved: int
    corrections: int
    net: int
    exact: bool
    """Whether the prediction, shown or not, is the target, but for white space at the end."""
    similarity: float
    """1 less the edit distance by the longer length; 0 for no prediction."""
    log_loss: float
    """The sum over the target's tokens, in nats; its end is none of them."""
    tokens: int
    prediction: Prediction | None = None
    """In the stream, what is needed to learn it again after a kill."""

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        return self.project, self.phase, self.arm, self.interactions, self.number


class Record:
    """The rows of one replay, in a file that is only appended to."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that is not whole is taken away."""
        private_directory(path.parent)
        self.rows: dict[tuple[str, str, str, int, int], Row] = {}
        whole = 0
        if path.exists():
            content = path.read_bytes()
            for line in content.splitlines(keepends=True):
                row = _row(line)
                if row is None:
                    break
                self.rows[row.key] = row
                whole += len(line)
        self._file: TextIO = open(path, "a", encoding="utf-8", opener=private_opener)  # noqa: SIM115 - closed by close()
        os.truncate(path, whole)

    def add(self, row: Row) -> None:
        """Keep the row; it is the system's before this returns, so that a kill does not cost it."""
        self._file.write(json.dumps(asdict(row)) + "\n")
        self._file.flush()
        self.rows[row.key] = row

    def close(self) -> None:
        self._file.close()


def _row(line: bytes) -> Row | None:
    if not line.endswith(b"\n"):
        return None
    try:
        content: dict[str, Any] = json.loads(line)
        kept = content.pop("prediction")
        prediction = _prediction(kept) if kept is not None else None
        return Row(**{**content, "phase": Phase(content["phase"])}, prediction=prediction)
    except (ValueError, TypeError, KeyError):
        return None


def _prediction(content: dict[str, Any]) -> Prediction:
    prompt = content["prompt"]
    chunks = tuple(Chunk(**chunk) for chunk in prompt["chunks"])
    return Prediction(
        **{
            **content,
            "prompt": Prompt(**{**prompt, "chunks": chunks}),
            "served": Served(content["served"]),
            "logprobs": tuple(content["logprobs"]),
        }
    )
