"""The adapters that ship: for some base models, one that knows the task of completing at a cursor."""

from __future__ import annotations

from pathlib import Path

PRIMERS = Path(__file__).parent


def primer_path(base: str) -> Path | None:
    """Where the primer for the base with the SHA-256 ``base`` lies; None if none ships for it."""
    path = PRIMERS / f"{base[:16]}.gguf"
    return path if path.is_file() else None
