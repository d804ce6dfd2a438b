"""A whole night on a real history, by the product's own commands: how long, how much memory, which verdict.

    python benchmarks/night.py [--project NAME] [--outcomes N] [--minutes N]

The history of a project newer than the model is learned in a home of its own (``nightschool replay --learn``:
what the model offers at places of successive releases, and what was typed there instead). That goes on where
it was stopped, and is kept. Then ``nightschool train`` does one night over it, alone on the machine. Memory
is what all processes of the night hold together, a page that two of them share counted twice.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from histories import REPLAYED, repository
from pipe import own_home
from report import RESULTS, SCRATCH, Figure, at_most, publish

from learner.ledger_file import connect_to_read
from models.home import Home, private_directory

RELEASES = 24
FUTURE = 4 / 3
"""A replay's plan has a future block of a third beside its stream; a cold start learns from both."""
MINUTES = 30
MEMORY_MB = 6000
NIGHTSCHOOL = (sys.executable, "-m", "lsp_server.cli")


def main() -> None:
    parser = history_parser(__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=MINUTES, help="the night's budget")
    add("--learn-only", action="store_true", help="go through the history, and do no night yet")
    options = parser.parse_args()
    home = learned_home(options.project, options.outcomes)
    if options.learn_only:
        return
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as folder:
        copied = copy_of(home, Path(folder, "home"))
        night = Night(copied, options.minutes)
        result = night.run()
    details = {"project": options.project, "outcomes": outcomes_in(home), "result": result}
    publish("night", figures(result, night), details, options.to)


def history_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser for a benchmark over one learned history, to which it adds what is its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--project", default=REPLAYED[0].name, choices=[project.name for project in REPLAYED])
    add("--outcomes", type=int, default=300)
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    return parser


def learned_home(name: str, outcomes: int) -> Home:
    """Return a home whose ledger and memory know the project's history; what is done is not done again."""
    project = next(project for project in REPLAYED if project.name == name)
    history = repository(project, RELEASES)
    home = Home(private_directory(SCRATCH / "night" / f"{project.name}-{outcomes}"))
    if not home.models.exists():
        home.models.symlink_to(own_home().models.resolve(), target_is_directory=True)
    limit = str(round(outcomes / FUTURE))
    command = [*NIGHTSCHOOL, "replay", "--learn", str(history), "--limit", limit]
    if subprocess.run(command, env=environment(home), check=False).returncode:
        raise SystemExit(f"the history of {name} was not learned; the same command goes on from here")
    return home


def copy_of(home: Home, folder: Path) -> Home:
    """Return another home with the same ledger and memory, so that one night does not see the other's."""
    shutil.copytree(home.root, folder, symlinks=True, ignore=shutil.ignore_patterns("replays"))
    return Home(folder)


def outcomes_in(home: Home) -> int:
    with closing(connect_to_read(home.ledger)) as ledger:
        (count,) = ledger.execute("SELECT count(*) FROM outcomes").fetchone()
    return int(count)


def environment(home: Home) -> dict[str, str]:
    return os.environ | {"NIGHTSCHOOL_HOME": str(home.root)}


class Night:
    """One night as a process, watched from outside."""

    def __init__(self, home: Home, minutes: float) -> None:
        self.home, self.minutes = home, minutes
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """By phase."""
        self.peak_mb: defaultdict[str, float] = defaultdict(float)
        """By phase, of all processes together."""
        self._phase = "start"
        self._ended = threading.Event()

    def run(self) -> dict[str, Any]:
        """Do the night; return what it said of itself, as JSON."""
        command = [*NIGHTSCHOOL, "train", "--json", "--progress", "--now", "--minutes", f"{self.minutes:g}"]
        process = subprocess.Popen(command, env=environment(self.home), stdout=subprocess.PIPE, text=True)
        watcher = threading.Thread(target=self._watch, args=(process.pid,))
        watcher.start()
        since, last = time.monotonic(), ""
        assert process.stdout
        for last in process.stdout:
            if progress := json.loads(last).get("progress"):
                now = time.monotonic()
                self.seconds[self._phase] += now - since
                since, self._phase = now, str(progress["phase"])
        self.seconds[self._phase] += time.monotonic() - since
        self._ended.set()
        watcher.join()
        if process.wait():
            raise SystemExit(f"the night ended with code {process.returncode}: {last}")
        return json.loads(last)

    def _watch(self, pid: int) -> None:
        family = psutil.Process(pid)
        while not self._ended.wait(0.5):
            held = 0
            with suppress(psutil.NoSuchProcess):
                for process in (family, *family.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        held += process.memory_info().rss
            self.peak_mb[self._phase] = max(self.peak_mb[self._phase], held / 1e6)


def figures(result: dict[str, Any], night: Night) -> list[Figure]:
    exam = result["exam"]
    papers = [(paper, exam["candidate"][paper], exam["base"][paper]) for paper in ("outcomes", "generic")]
    phases = [
        Figure(f"{phase}, minutes", seconds / 60, note=f"{night.peak_mb.get(phase, 0):.0f} MB")
        for phase, seconds in night.seconds.items()
    ]
    verdict = "; ".join([result["verdict"], *result["reasons"]])
    return [
        at_most("a whole night to its verdict, minutes", sum(night.seconds.values()) / 60, MINUTES, verdict),
        at_most("peak memory of all its processes, MB", max(night.peak_mb.values()), MEMORY_MB),
        Figure("examples trained on", result["examples"]),
        *phases,
        *(
            Figure(f"{name}, {paper}", mine[name], note=f"base {base[name]:.3f}")
            for paper, mine, base in papers
            for name in ("log_loss", "exact_match", "net_saved")
        ),
    ]


if __name__ == "__main__":
    main()
