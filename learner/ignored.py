"""Which files the user has told an editor to ignore, per folder: the night leaves them out as well."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from models.checksum import remember
from models.home import private_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)


def keep_globs(path: Path, folders: Sequence[Path], globs: Sequence[str]) -> None:
    """Write to the file ``path`` that ``globs`` are ignored in ``folders`` (without any: everywhere).

    What other folders ignore stays. On a full disk the night knows what it knew before.
    """
    kept = _read(path)
    wanted = {name: list(globs) for name in ([str(folder) for folder in folders] or [""])}
    if all(kept.get(name, []) == each for name, each in wanted.items()):
        return
    try:
        private_directory(path.parent)
        remember(path, {name: each for name, each in (kept | wanted).items() if each})
    except OSError as error:
        logger.warning("%s cannot be written (%s): the next night may learn from ignored files", path, error)


def kept_globs(path: Path) -> tuple[str, ...]:
    """Return the globs of all folders together: rather one file too few is learned from."""
    return tuple(dict.fromkeys(glob for globs in _read(path).values() for glob in globs))


def _read(path: Path) -> dict[str, list[str]]:
    """Return the file's content; a missing or damaged one is empty."""
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text("ascii"))
        if isinstance(content, dict):
            return {
                name: [glob for glob in globs if isinstance(glob, str)]
                for name, globs in content.items()
                if isinstance(globs, list)
            }
    return {}
