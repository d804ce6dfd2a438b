"""``nightschool doctor``: what could keep completions from coming, and how to mend it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import click
import psutil

from learner.ledger_file import integrity
from learner.registry import AdapterError, Registry
from models.catalogue import CATALOGUE, ENGINE_BYTES, ModelError
from models.checksum import sha256_of
from models.choice import chosen, model_path, remedy
from models.gguf_file import read_header
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOW_DISK_BYTES = 1_000_000_000
LIBRARY_TEST = "import llama_cpp; print(llama_cpp.llama_print_system_info().decode())"


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    name: str
    state: State
    message: str
    remedy: str = ""
    """What to do about it; empty where all is well."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check the installation, the model, memory, disk and the ledger; say how to mend what is wrong."""
    findings = examine(Home.find())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print_finding(finding)
    if any(finding.state is State.FAIL for finding in findings):
        context.exit(1)


def print_finding(finding: Finding) -> None:
    colour = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}[finding.state]
    label = click.style(f"{finding.state:<4}", fg=colour)
    click.echo(f"{label}  {finding.name:<9} {finding.message}")
    if finding.remedy:
        click.echo(f"{'':<16}→ {finding.remedy}")


def examine(home: Home) -> list[Finding]:
    checks: tuple[Callable[[Home], Finding], ...] = (
        python,
        library,
        model,
        adapter,
        memory,
        disk,
        ledger,
        privacy,
    )
    return [check(home) for check in checks]


def python(home: Home) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", State.OK, f"{version} ({sys.executable})")


def library(home: Home) -> Finding:
    """Load llama.cpp in a process of its own: a build for another processor dies by a signal."""
    command = [sys.executable, "-P", "-c", LIBRARY_TEST]
    test = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if test.returncode == 0:
        return Finding("llama.cpp", State.OK, test.stdout.strip())
    words = test.stderr.strip().splitlines() or [f"it ended with code {test.returncode}"]
    rebuild = (
        f"{sys.executable} -m pip install --force-reinstall --no-cache-dir --no-binary=:all: llama-cpp-python"
    )
    return Finding("llama.cpp", State.FAIL, words[-1], f"compile it for this machine: {rebuild}")


def model(home: Home) -> Finding:
    try:
        path = model_path(home)
        header = read_header(path)
    except ModelError as error:
        return Finding("model", State.FAIL, str(error), remedy(home))
    expected = next((entry for entry in CATALOGUE if home.models / entry.file == path), None)
    if expected and expected.sha256 and sha256_of(path) != expected.sha256:
        return Finding("model", State.FAIL, f"{path} is not the file of {expected.name}", remedy(home))
    return Finding("model", State.OK, f"{chosen(home)} ({header.architecture}, {path})")


def adapter(home: Home) -> Finding:
    """Is what is to serve there, whole, and for this model?"""
    try:
        path = model_path(home)
        base = sha256_of(path)
    except (ModelError, OSError):
        return Finding("adapter", State.OK, "none without a model")
    problems: list[str] = []
    registry = Registry(home, problems.append)
    serving = registry.serving(base)
    try:
        if serving is not None:
            registry.check(serving)
    except AdapterError as error:
        problems.append(str(error))
    if problems:
        return Finding("adapter", State.WARN, problems[0], "nightschool adapters use ID")
    kept = len(registry.adapters())
    name = f"{serving.id} serves" if serving else "the base model serves alone"
    if problems:  # of adapters that do not serve
        return Finding("adapter", State.WARN, f"{name}; {problems[0]}", "delete its directory")
    return Finding("adapter", State.OK, f"{name}, {kept} kept")


def memory(home: Home) -> Finding:
    available = psutil.virtual_memory().available
    needed = model_memory(home)
    message = f"{available / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed"
    if available >= needed:
        return Finding("memory", State.OK, message)
    return Finding(
        "memory", State.WARN, message, "close programs, or: nightschool model use qwen2.5-coder-0.5b"
    )


def model_memory(home: Home) -> int:
    try:
        path = model_path(home)
        known = (entry.memory for entry in CATALOGUE if home.models / entry.file == path)
        return next(known, None) or path.stat().st_size + ENGINE_BYTES
    except (ModelError, OSError):
        return ENGINE_BYTES


def disk(home: Home) -> Finding:
    place = next(each for each in (home.root, *home.root.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    message = f"{free / 1e9:.1f} GB free in {home.root}"
    if free >= LOW_DISK_BYTES:
        return Finding("disk", State.OK, message)
    return Finding(
        "disk", State.WARN, message, "free some, or set NIGHTSCHOOL_HOME to a directory on another disk"
    )


def ledger(home: Home) -> Finding:
    if not home.ledger.exists():
        return Finding("ledger", State.OK, "none yet; it begins with the first completion")
    if problems := integrity(home.ledger):
        mend = "restart the editor: it begins a new one and keeps this one, which sqlite3's .recover reads"
        return Finding("ledger", State.FAIL, f"{home.ledger}: {problems[0]}", mend)
    return Finding("ledger", State.OK, f"{home.ledger} is sound")


def privacy(home: Home) -> Finding:
    """Nobody else may read what the developer typed."""
    if not home.root.exists():
        return Finding("privacy", State.OK, f"{home.root} does not exist yet")
    if open_to_others := [path for path in (home.root, home.ledger, home.log) if others_may_read(path)]:
        named = " ".join(map(str, open_to_others))
        return Finding("privacy", State.WARN, f"others can read {named}", f"chmod go= {named}")
    return Finding("privacy", State.OK, f"{home.root} is readable by its owner alone")


def others_may_read(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o077)
