"""Kill -9 at random moments of a real night on SmolLM2: is anything torn, and does the next night work?

    python benchmarks/night_kill.py [--kills N] [--minutes N]

Each round starts ``nightschool train`` on ninety recorded outcomes and kills it, in every second round
together with its training and engine processes, at a moment drawn from the whole length of a night. Then
every adapter must be what was added, only one that passed may serve, and the ledger must be intact. Two
rounds begin a night anew, so that all its moments are met alike, and two go on with what the round before
has left. Of a night that ends before its kill the adapter is deleted. The last one is left alone and must
have a verdict. The home is kept in .bench/night_kill: a run that was stopped goes on with the kills that
are left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

from report import HERE, SCRATCH, Figure, append_row, at_most, publish, read_rows

# The tests' recorded outcomes, and what those are built with.
sys.path.insert(0, str(HERE.parent / "tests" / "learner"))
sys.path.insert(0, str(HERE.parent))

import psutil

from learner.ledger_file import integrity
from learner.registry import AdapterError, Registry
from models.checksum import sha256_of
from models.choice import model_path
from models.home import Home, private_directory
from tests.learner import house

MODELS = HERE.parent / ".nightschool" / "models"
COMMAND = (
    sys.executable,
    "-m",
    "lsp_server.cli",
    "train",
    "--json",
    "--progress",
    "--now",
    "--minutes",
    "10",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after the kill begun by then"
    )
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    home = Home(SCRATCH / "night_kill")
    file = home.root / "kills.jsonl"
    if not file.exists():
        prepare(home)
        began = time.monotonic()
        verdict = night(home)
        append_row(file, {"verdict": verdict, "seconds": time.monotonic() - began})
    first, *kills = read_rows(file)
    for number in range(len(kills), options.kills):
        if time.monotonic() > deadline:
            sys.exit(f"stopped after {number} kills; the same command goes on from there")
        kills.append(one_kill(home, number, first["seconds"]))
        append_row(file, kills[-1])
        print(f"kill {number + 1} of {options.kills}: {kills[-1]}", flush=True)
    publish("night_kill", figures(first, kills, night(home)), {})


def prepare(home: Home) -> None:
    """Make a home anew, with ninety recorded outcomes."""
    shutil.rmtree(home.root, ignore_errors=True)
    private_directory(home.root)
    home.models.symlink_to(os.environ.get("NIGHTSCHOOL_MODELS", MODELS), target_is_directory=True)
    home.choice.write_text(json.dumps({"model": "smollm2-135m"}))
    house.record(home.ledger, house.habits(90))


def one_kill(home: Home, number: int, length: float) -> dict[str, Any]:
    """Start a night and kill it at some moment; return in which phase, and what is wrong since."""
    after_s = random.Random(number).uniform(0, length)
    if number % 4 < 2:
        shutil.rmtree(home.night, ignore_errors=True)
    phase = killed(home, after_s, everything=number % 2 == 0)
    found = problems(home, sha256_of(model_path(home)))
    if phase == "over":
        # Else every later round would find the same adapter made and nothing to do but to say so.
        shutil.rmtree(home.adapters)
    return {"phase": phase, "after_s": round(after_s, 2), "problems": found}


def figures(first: dict[str, Any], kills: list[dict[str, Any]], last: str) -> list[Figure]:
    phases = Counter(kill["phase"] for kill in kills)
    torn = sum(len(kill["problems"]) for kill in kills)
    told = ", ".join(f"{count} in {phase}" for phase, count in sorted(phases.items()))
    return [
        Figure("kills", len(kills), note=told),
        Figure("seconds of an undisturbed night", round(first["seconds"], 1), note=first["verdict"]),
        at_most("torn adapters, wrong current, damaged ledger", torn, 0),
        Figure("the next night works", float(bool(last)), "1", bool(last), last),
    ]


def night(home: Home) -> str:
    """Do an undisturbed night; return its verdict."""
    done = subprocess.run(COMMAND, env=environment(home), capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout.splitlines()[-1])["verdict"])


def killed(home: Home, after_s: float, *, everything: bool) -> str:
    """Start a night and kill it; return the phase that it was in."""
    with subprocess.Popen(COMMAND, env=environment(home), stdout=subprocess.PIPE, text=True) as process:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            victims = [process.pid]
            if everything:
                victims += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
        said = [json.loads(line) for line in process.stdout or ()]
    if process.returncode > 0:
        raise SystemExit(f"the night ended by itself with code {process.returncode}: {said[-1:]}")
    if process.returncode == 0:
        return "over"
    return str(said[-1]["progress"]["phase"]) if said else "start"


def problems(home: Home, base: str) -> list[str]:
    """Return what is wrong with what the night left."""
    found: list[str] = []
    registry = Registry(home, found.append)
    for adapter in registry.adapters():
        try:
            registry.check(adapter)
        except AdapterError as error:
            found.append(str(error))
    serving = registry.serving(base)
    if serving and serving.report["verdict"] != "promoted":
        found.append(f"{serving.id} serves and was refused")
    return found + integrity(home.ledger)


def environment(home: Home) -> dict[str, str]:
    return os.environ | {"NIGHTSCHOOL_HOME": str(home.root)}


if __name__ == "__main__":
    main()
