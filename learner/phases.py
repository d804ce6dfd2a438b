"""What a night is doing, in words for its user: the terminal and the editor say the same."""

from __future__ import annotations

PHASES = {
    "lesson": "looking for examples",
    "practice": "trying tasks of your own code",
    "load": "loading the model",
    "train": "training",
    "pause": "paused",
    "export": "writing the adapter",
    "exam": "examining",
    "recital": "trying what memory knows",
}
