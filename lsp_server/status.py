"""``nightschool status``: what completes now, or would."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
import psutil

from learner.gate.report import gate_report
from learner.gate.shipped import PriorError
from learner.ledger_file import connect_to_read
from learner.registry import Registry
from learner.schema import NewerLedgerError
from lsp_server.settings import Settings
from models.catalogue import ModelError
from models.checksum import sha256_of
from models.choice import chosen, model_path, remedy
from models.gguf_file import read_header
from models.home import Home

GATE_NEWEST = 500
"""Outcomes that the gate's line is about."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def status(as_json: bool) -> None:
    """Tell the model in use, the adapter, the running engines, and the settings' defaults."""
    found = current_status(Home.find())
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    model, engines = found["model"], found["engine"]["processes"]
    click.echo(f"model     {model['name']}")
    click.echo(f"          {model['path']}")
    click.echo(f"          {model['message'] or model['architecture']}")
    click.echo(f"adapter   {spoken(found['adapter'])}")
    running = [f"process {engine['process']}, {engine['memory'] / 1e9:.1f} GB" for engine in engines]
    click.echo(f"engine    {'; '.join(running) or 'not running; an editor starts it'}")
    settings = ", ".join(f"{name} {value}" for name, value in found["settings"].items() if value)
    click.echo(f"settings  {settings} (the defaults; an editor sets its own)")
    for line in found["gate"]["lines"]:
        click.echo(f"gate      {line}")


def current_status(home: Home) -> dict[str, Any]:
    engines = running_engines()
    return {
        "home": str(home.root),
        "model": model_status(home),
        "adapter": adapter_status(home),
        "engine": {"state": "running" if engines else "stopped", "processes": engines},
        "settings": asdict(Settings()),
        "gate": gate_status(home),
    }


def gate_status(home: Home) -> dict[str, Any]:
    """What the gate hid of the newest offers, with ``lines`` that say it, or why nothing can be said."""
    try:
        with closing(connect_to_read(home.ledger)) as connection:
            report = gate_report(connection, Settings().gate, GATE_NEWEST)
    except FileNotFoundError:
        return {"lines": ["nothing was offered yet"]}
    except (sqlite3.Error, NewerLedgerError, PriorError, OSError) as error:
        return {"lines": [f"cannot be told: {error}"]}
    return {**report.as_json(), "lines": report.lines()}


def adapter_status(home: Home) -> dict[str, Any] | None:
    """The adapter that serves the model in use, or would; None for the base model alone.

    ``since`` is when it was chosen (Unix time); None where a primer serves because nothing was chosen.
    """
    path = model_path(home)
    if not path.is_file():
        return None
    registry = Registry(home, lambda message: click.echo(f"Warning: {message}", err=True))
    base = sha256_of(path)
    serving = registry.serving(base)
    if serving is None:
        return None
    choice = registry.choice(base)
    since = choice.since if choice.adapter == serving.id and choice.since else None
    return {"id": serving.id, "parent": serving.parent, "since": since}


def spoken(adapter: dict[str, Any] | None) -> str:
    if adapter is None:
        return "none; the base model serves alone"
    since = f", since {datetime.fromtimestamp(adapter['since']):%Y-%m-%d %H:%M}" if adapter["since"] else ""
    return f"{adapter['id']}{since}"


def model_status(home: Home) -> dict[str, Any]:
    path = model_path(home)
    status = {"name": chosen(home), "path": str(path), "present": path.is_file(), "architecture": ""}
    try:
        return status | {"architecture": read_header(path).architecture, "message": ""}
    except ModelError as error:
        return status | {"message": f"{error}; run: {remedy(home)}"}


def running_engines() -> list[dict[str, int]]:
    """The engine processes of this user: process id, and resident bytes with the model's mapped pages."""
    engines = []
    for process in psutil.process_iter(["cmdline", "memory_info"]):
        # Another user's process, or one that has just ended, has neither.
        if "models.worker" in (process.info["cmdline"] or ()) and process.info["memory_info"]:
            engines.append({"process": process.pid, "memory": process.info["memory_info"].rss})
    return engines
