"""Where Nightschool keeps its state: one directory, readable by its owner alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Home:
    """The paths under ``NIGHTSCHOOL_HOME``; nothing else in the code spells them."""

    root: Path

    @classmethod
    def find(cls) -> Home:
        """Return the home that ``NIGHTSCHOOL_HOME`` names, else the platform's data directory."""
        named = os.environ.get("NIGHTSCHOOL_HOME")
        return cls(Path(named).expanduser() if named else platformdirs.user_data_path("nightschool"))

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"

    @property
    def memory(self) -> Path:
        """What is remembered from place to place."""
        return self.root / "memory.db"

    @property
    def replays(self) -> Path:
        """What replays have asked so far; nothing in it is needed once their results are known."""
        return self.root / "replays"

    @property
    def replay_result(self) -> Path:
        """What the last ``nightschool replay`` found, as its ``--json`` prints it; the report shows it."""
        return self.root / "replay.json"

    @property
    def choice(self) -> Path:
        """The file that holds the name or path of the model in use."""
        return self.root / "model.json"

    @property
    def tuning(self) -> Path:
        """The engine settings measured on this machine, per model."""
        return self.root / "tuning.json"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def night(self) -> Path:
        """What a night works in; nothing in it is needed once the night is over."""
        return self.root / "night"

    @property
    def last_run(self) -> Path:
        """How the last training ended."""
        return self.root / "last-run.json"

    @property
    def ignored(self) -> Path:
        """What editors were told to ignore, for the night."""
        return self.root / "ignored.json"

    @property
    def typing(self) -> Path:
        """An empty file; the time of its last change is that of the last keystroke in any editor."""
        return self.root / "typing"


def private_directory(path: Path) -> Path:
    """Create ``path`` and its parents with mode 0700 where missing; return it."""
    for parent in [*reversed(path.parents), path]:
        if not parent.exists():
            parent.mkdir(mode=0o700, exist_ok=True)
    return path


def private_opener(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open` that creates files with mode 0600."""
    return os.open(path, flags, 0o600)
