"""Adapters as the registry keeps them; the GGUF files need not be loadable here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import primers

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from learner.registry import Adapter, Registry

BASE = "b" * 64
OTHER_BASE = "c" * 64


def add_adapter(registry: Registry, day: int, base: str = BASE, **record: Any) -> Adapter:
    """Add an adapter as if it had been made on a day of December 2026."""
    identity = f"202612{day:02}-0300-{day:04x}"
    unfinished = registry.current.parent.parent / f"{identity}.gguf"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(b"GGUF" + identity.encode())
    return registry.add(unfinished, identity, {"base": base, "created": 1e9 + day, **record})


def ship_primer(monkeypatch: pytest.MonkeyPatch, folder: Path, base: str = BASE) -> Path:
    """Let a primer ship for the base; return its file."""
    monkeypatch.setattr(primers, "PRIMERS", folder)
    path = folder / f"{base[:16]}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    return path
