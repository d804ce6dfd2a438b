"""What every benchmark writes: figures with their targets, as one table and one JSON file."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SCRATCH = HERE.parent / ".bench"
"""Downloads, builds and unfinished runs: never committed."""
PACKAGES = ("nightschool", "llama-cpp-python", "numpy", "sqlite-utils", "watchdog")


@dataclass(frozen=True)
class Figure:
    """One measured value and what it should be; ``met`` is None where there is no target."""

    name: str
    value: float
    target: str = ""
    met: bool | None = None
    note: str = ""


def at_most(name: str, value: float, limit: float, note: str = "") -> Figure:
    return Figure(name, value, f"<= {limit:g}", value <= limit, note)


def at_least(name: str, value: float, limit: float, note: str = "") -> Figure:
    return Figure(name, value, f">= {limit:g}", value >= limit, note)


def publish(name: str, figures: list[Figure], details: dict[str, Any], to: Path = RESULTS) -> Path:
    """Print the figures as a table; write them with machine, versions and command to ``to/name.json``."""
    Console().print(_table(name, figures))
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{name}.json"
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *_relative(sys.argv)]),
        "machine": machine(),
        "figures": [asdict(figure) for figure in figures],
        **details,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a line of JSON to an unfinished run's file, so that a killed run loses no more than one."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return an unfinished run's rows, none where there is no file; a torn last line is dropped."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def machine() -> dict[str, Any]:
    """Describe what the figures depend on: processor, cores, memory, versions."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _relative(words: list[str]) -> list[str]:
    """Name this machine's files from the repository's root, so that the command can be run elsewhere."""
    root = f"{HERE.parent.resolve()}{os.sep}"
    return [word.removeprefix(root) for word in words]


def _table(title: str, figures: list[Figure]) -> Table:
    table = Table("figure", "value", "target", "met", "note", title=title)
    marks = {True: "[green]yes", False: "[red]no", None: ""}
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.4g}", figure.target, marks[figure.met], figure.note)
    return table
