"""``workspace/executeCommand``: which commands there are, and what their arguments must look like."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from lsp_server.jsonrpc import INVALID_PARAMS, REQUEST_FAILED, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.night import Night
    from lsp_server.session import Session
    from models.home import Home

Arguments = list[Any]

COMMANDS = (
    "nightschool.accepted",
    "nightschool.forget",
    "nightschool.rollback",
    "nightschool.snooze",
    "nightschool.status",
    "nightschool.train",
)
# With -P, a `lsp_server` package of the user's project, in the working directory, is not taken for ours.
FORGET = (sys.executable, "-P", "-m", "lsp_server.cli", "data", "forget", "--yes", "--json")
NOTHING_TO_DO = 3
CONDITIONS = ("file", "repo", "since", "matching")


class Commands:
    """Does what a client asks for by a command's name."""

    def __init__(self, home: Home, night: Night) -> None:
        self._home = home
        self._night = night

    def execute(
        self,
        name: str,
        arguments: Arguments,
        session: Session,
        *,
        token: object = None,
        shows_progress: bool = False,
    ) -> Any:
        """Return the command's result, or what to wait for.

        Args:
            token: the client's own token for work-done progress, if any.
            shows_progress: whether the client can be asked for one.

        Raises:
            RpcError: there is no such command, its arguments are not what it takes, or it failed.
        """
        actions: dict[str, Callable[[], Any]] = {
            "nightschool.accepted": lambda: session.accepted(_offer_id(arguments)),
            "nightschool.forget": lambda: self._forget(_conditions(arguments)),
            "nightschool.rollback": session.roll_back,
            "nightschool.snooze": lambda: session.snooze(_minutes(name, arguments)),
            "nightschool.status": session.status,
            "nightschool.train": lambda: self._train(_minutes(name, arguments), token, shows_progress),
        }
        if name not in actions:
            raise RpcError(INVALID_PARAMS, f"command {name!r} is unknown; known are {', '.join(COMMANDS)}")
        return actions[name]()

    def _train(self, minutes: float | None, token: object, shows_progress: bool) -> Any:
        options = [] if minutes is None else ["--minutes", f"{minutes:g}"]
        return self._night.train(options, token, shows_progress=shows_progress)

    async def _forget(self, options: list[str]) -> dict[str, Any]:
        """Run ``nightschool data forget`` in a process of its own: it rewrites the whole file."""
        return await asyncio.to_thread(run_forget, self._home, options)


def run_forget(home: Home, options: list[str]) -> dict[str, Any]:
    """Return what ``nightschool data forget --json`` prints; call it off the event loop.

    Raises:
        RpcError: it failed; the message is its own.
    """
    package = {"PYTHONPATH": str(Path(models.__path__[0]).parent), "NIGHTSCHOOL_HOME": str(home.root)}
    done = subprocess.run(
        [*FORGET, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | package,
    )
    if done.returncode not in (0, NOTHING_TO_DO):
        last = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
        raise RpcError(REQUEST_FAILED, last.removeprefix("Error: "))
    return json.loads(done.stdout)


def _offer_id(arguments: Arguments) -> str:
    if not arguments or not isinstance(arguments[0], str):
        raise _wrong("nightschool.accepted", "an offer's id", arguments)
    return arguments[0]


def _minutes(name: str, arguments: Arguments) -> float | None:
    """Return the first argument, a number of minutes; None where it was left out."""
    if not arguments or arguments[0] is None:
        return None
    minutes = arguments[0]
    if not isinstance(minutes, (int, float)) or isinstance(minutes, bool) or not 0 <= minutes < math.inf:
        raise _wrong(name, "a number of minutes, or nothing", arguments)
    return float(minutes)


def _conditions(arguments: Arguments) -> list[str]:
    """Return ``data forget``'s options for one object that has the same names."""
    wanted = f'an object with "all": true, or with one or more of {", ".join(CONDITIONS)} as text'
    chosen = arguments[0] if arguments else None
    if not isinstance(chosen, dict) or not chosen:
        raise _wrong("nightschool.forget", wanted, arguments)
    if chosen == {"all": True}:
        return ["--all"]
    if not all(name in CONDITIONS and isinstance(value, str) and value for name, value in chosen.items()):
        raise _wrong("nightschool.forget", wanted, arguments)
    return [f"--{name}={value}" for name, value in chosen.items()]


def _wrong(name: str, wanted: str, arguments: Arguments) -> RpcError:
    """Name the kinds of what came, not the values: they may be the developer's code."""
    kinds = ", ".join(type(value).__name__ for value in arguments) or "nothing"
    return RpcError(INVALID_PARAMS, f"{name} takes {wanted}; it was given {kinds}")
