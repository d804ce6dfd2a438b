"""Kill -9 at random moments of a real night on SmolLM2: is anything torn, and does the next night work?

Run: python benchmarks/night_kill.py [KILLS]. Each round starts ``nightschool train`` on ninety recorded
outcomes and kills it, in every second round together with its training and engine processes, at a moment
drawn from the whole length of a night. Then every adapter must be what was added, only one that passed may
serve, and the ledger must be intact. A killed night is gone on with, so that later phases are met as well; of
one that ends before its kill, the adapter is deleted. The last night is left alone and must have a verdict.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import HERE, Figure, at_most, publish

# The tests' recorded outcomes, and what those are built with.
sys.path.insert(0, str(HERE.parent / "tests" / "learner"))
sys.path.insert(0, str(HERE.parent))

import psutil

from learner.ledger_file import integrity
from learner.registry import AdapterError, Registry
from models.checksum import sha256_of
from models.choice import model_path
from models.home import Home
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


def main(kills: int) -> None:
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.models.symlink_to(os.environ.get("NIGHTSCHOOL_MODELS", MODELS), target_is_directory=True)
        home.choice.write_text(json.dumps({"model": "smollm2-135m"}))
        house.record(home.ledger, house.habits(90))
        base = sha256_of(model_path(home))
        began = time.monotonic()
        verdict = night(home)
        length = time.monotonic() - began
        phases: dict[str, int] = {}
        torn = 0
        for number in range(kills):
            phase = killed(home, chance.uniform(0, length), everything=number % 2 == 0)
            phases[phase] = phases.get(phase, 0) + 1
            torn += len(problems(home, base))
            print(f"kill {number + 1} of {kills} in phase {phase}: {torn} problems so far", flush=True)
            if phase == "over":
                # Else every later round would find the same adapter made and nothing to do but to say so.
                shutil.rmtree(home.adapters)
        last = night(home)
    figures = [
        Figure(
            "kills", kills, note=", ".join(f"{count} in {phase}" for phase, count in sorted(phases.items()))
        ),
        Figure("seconds of an undisturbed night", round(length, 1), note=verdict),
        at_most("torn adapters, wrong current, damaged ledger", torn, 0),
        Figure("the next night works", float(bool(last)), "1", bool(last), last),
    ]
    publish("night_kill", figures, {})


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
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
