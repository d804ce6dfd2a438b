"""Commands like ``nightschool`` for an editor to start: real ones in a home of the test's, scripted ones."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[3]
NIGHTSCHOOL = Path(sys.executable).parent / "nightschool"


def real(home: Path, model: Path | None = None, hub: str = "") -> list[str]:
    """Return a command that works in ``home``, completes with ``model``, and gets models from ``hub``."""
    named = ["--model", str(model)] if model else []
    return _command(home, [str(NIGHTSCHOOL), "serve", *named], {"HF_ENDPOINT": hub} if hub else {})


def scripted(
    home: Path,
    answers: Mapping[str, str],
    by_adapter: Mapping[str, Mapping[str, str]] | None = None,
    night: Sequence[str] = (),
) -> list[str]:
    """Return a command whose server says ``answers``; ``night`` stands for ``nightschool train``."""
    script = home / "answers.json"
    script.write_text(json.dumps({"base": dict(answers), **(by_adapter or {})}))
    words = [str(script), str(home), str(home / "recording.jsonl"), *night]
    return _command(home, [sys.executable, "-m", "tests.editors.vscode.school_server", *words])


def broken(folder: Path, version: str, serve: str) -> list[str]:
    """Return a command that says ``version``, and whose server is this Python script."""
    folder.mkdir()
    path = folder / "nightschool"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"if '--version' in sys.argv:\n    sys.exit(print({version!r}))\n{serve}\n"
    )
    path.chmod(0o755)
    return [str(path)]


def messages(home: Path) -> list[dict]:
    """Return what scripted servers and their client have said to each other, with ``at`` and ``from``."""
    # By age, not by the process's number in the name: those begin anew after the largest.
    files = sorted(home.glob("recording-*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    lines = [line for file in files for line in file.read_text().splitlines()]
    entries = [json.loads(line) for line in lines]
    return [{"at": entry["at"], "from": entry["from"], **entry["message"]} for entry in entries]


def answers_at(home: Path, name: str, character: int) -> list[Any]:
    """Return what scripted servers have answered when asked for ghost text in this column of a file."""
    said = messages(home)
    asked = {each["id"] for each in said if _asks_at(each, f"/{quote(name)}", character)}
    return [each["result"] for each in said if each["from"] == "server" and each.get("id") in asked]


def _asks_at(message: dict, end: str, character: int) -> bool:
    if message.get("method") != "textDocument/inlineCompletion":
        return False
    params = message["params"]
    return params["textDocument"]["uri"].endswith(end) and params["position"]["character"] == character


def _command(home: Path, serve: Sequence[str], more: Mapping[str, str] | None = None) -> list[str]:
    script = home / "nightschool"
    environment = {"NIGHTSCHOOL_HOME": str(home), **(more or {})}
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    script.write_text(
        f"#!/bin/sh\nexport {exports}\n"
        f'if [ "$1" = serve ]; then export PYTHONPATH={ROOT}; exec {shlex.join(serve)}; fi\n'
        f'exec {NIGHTSCHOOL} "$@"\n'
    )
    script.chmod(0o755)
    return [str(script)]
