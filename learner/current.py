"""Which adapter serves each base model: one small file that is whole at every moment."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from pathlib import Path

PRIMER = "primer"
"""In place of an adapter's id: the one that ships."""
OFF = "off"
"""In place of an adapter's id: the base model alone."""
_ID = re.compile(r"\d{8}-\d{4}-[0-9a-f]{4}")
MOST_BEFORE = 10
MOST_CHANGES = 100


class CurrentError(Exception):
    """The file says nothing that could be followed; the message says what to do."""


@dataclass(frozen=True)
class Choice:
    """What serves one base."""

    adapter: str
    """An adapter's id, ``primer`` or ``off``."""
    since: float
    """Unix time."""
    before: tuple[str, ...] = ()
    """What served before, the last one first; a rollback takes from here."""


@dataclass(frozen=True)
class Change:
    """One entry of the history."""

    at: float
    """Unix time."""
    base: str
    """The base model's SHA-256."""
    adapter: str
    """What serves since then."""
    replaced: str
    """What served until then."""
    by: str
    """``night`` (it passed its exam), ``user`` or ``live`` (outcomes were worse with what it replaced)."""
    reason: str = ""


@dataclass(frozen=True)
class Current:
    """The file's content; bases that it does not name are served by their primer, if one ships."""

    serving: dict[str, Choice] = field(default_factory=dict)
    """By the base's SHA-256."""
    history: tuple[Change, ...] = ()
    """The last changes, oldest first."""

    def changed(self, change: Change, before: tuple[str, ...]) -> Current:
        """Return this after ``change``; ``before`` is what later rollbacks may return to."""
        choice = Choice(change.adapter, change.at, before[:MOST_BEFORE])
        history = (*self.history, change)[-MOST_CHANGES:]
        return Current({**self.serving, change.base: choice}, history)


def is_adapter_id(text: str) -> bool:
    """Whether ``text`` is made like an adapter's id, and so is the name of a directory and nothing else."""
    return _ID.fullmatch(text) is not None


def read_current(path: Path) -> Current:
    """Return what the file says; an absent one says nothing.

    Raises:
        CurrentError: it cannot be read, or was damaged, or badly edited by hand.
    """
    try:
        return _parse(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Current()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CurrentError(
            f"{path} does not say which adapter serves ({type(error).__name__}); "
            "choose one: nightschool adapters use ID, or: nightschool adapters use primer"
        ) from None


def write_current(path: Path, current: Current) -> None:
    """Replace the file by one rename; a reader sees the old content or the new, also after a power cut."""
    unfinished = path.with_name(f".{path.name}.new")
    write_synced(unfinished, json.dumps(asdict(current), indent=1))
    unfinished.replace(path)
    sync_directory(path.parent)


def write_synced(path: Path, text: str) -> None:
    """Write a file (mode 0600) and wait until the disk has it."""
    private_directory(path.parent)
    with open(path, "w", encoding="utf-8", opener=private_opener) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the disk knows of the renames in ``path``, where the system can be asked to."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse(content: dict[str, Any]) -> Current:
    serving = {
        str(base): Choice(
            _name(choice["adapter"]), float(choice["since"]), tuple(_name(each) for each in choice["before"])
        )
        for base, choice in content["serving"].items()
    }
    return Current(serving, tuple(Change(**change) for change in content["history"]))


def _name(value: object) -> str:
    if isinstance(value, str) and (value in (PRIMER, OFF) or is_adapter_id(value)):
        return value
    raise ValueError(f"{value!r} is neither an adapter's id nor 'primer' nor 'off'")
