"""The slope on real projects: what memory and nights gain over what learns nothing (docs/replay.md).

    python benchmarks/slope.py [--development] [--arms …] [--limit N] [--seeds N] [--releases N]

Downloads successive releases of each project (read, never run) and replays each project by itself. A run that
was killed goes on where it was. Projects used for development are in no reported figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from histories import REPLAYED, releases
from projects import DEVELOPMENT
from report import RESULTS, Figure, at_least, publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


ARMS = "frozen,static,memory"


def replayed(folders: Sequence[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Return the results of one replay; its progress is on stderr."""
    seeds = [part for seed in range(options.seeds) for part in ("--seed", str(seed))]
    command = ["-m", "lsp_server.cli", "replay", *map(str, folders), "--json"]
    command += ["--arms", options.arms, "--limit", str(options.limit), *seeds]
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(f"the replay of {', '.join(folder.name for folder in folders)} failed")
    return json.loads(done.stdout)


def figures(name: str, result: dict[str, Any]) -> list[Figure]:
    """Return the issue's figures for one project, as far as its arms and length give them."""
    found: list[Figure] = []
    exact = {
        (row["arm"], row["interactions"]): row["exact_match"]
        for row in result["slope"]
        if not row["returned"]
    }
    for arm, against, times in (("static", "frozen", (0,)), ("memory", "static", (100, 1000))):
        for at in times:
            if (arm, at) in exact and (against, at) in exact:
                points = 100 * (exact[arm, at] - exact[against, at])
                target = 6 if arm == "static" else {100: 2, 1000: 4}[at]
                told = f"{name}: {arm} against {against} after {at}, exact match, points"
                found.append(at_least(told, round(points, 2), target))
    for row in result["differences"]:
        said = f"{name}: {row['arm']} against {row['against']}"
        points = row["exact_match"]
        if (
            points["mean"] is not None
            and row["arm"] == "both"
            and row["against"] in ("static", "other_project")
        ):
            note = f"{100 * (points['low'] or 0):.1f} to {100 * (points['high'] or 0):.1f}"
            found.append(at_least(f"{said}, exact match, points", round(100 * points["mean"], 2), 2, note))
        if row["arm"] == "both" and row["against"] == "frozen":
            base = result["arms"]["frozen"]["net_saved_per_1000"]["mean"]
            if base and base > 0:
                found.append(at_least(f"{said}, net saved, %", round(100 * row["mean"] / base, 1), 30))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--development", action="store_true", help="the projects that settings are chosen on")
    parser.add_argument("--arms", default=ARMS)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--releases", type=int, default=24)
    options = parser.parse_args()
    projects = DEVELOPMENT if options.development else REPLAYED
    folders = [releases(project, options.releases) for project in projects]
    results: dict[str, Any] = {}
    for number, (project, folder) in enumerate(zip(projects, folders, strict=True)):
        paths = [folder]
        if "other_project" in options.arms:
            paths.append(folders[(number + 1) % len(folders)])
        results[project.name] = replayed(paths, options)
    told = [figure for name, result in results.items() for figure in figures(name, result)]
    suffix = "-development" if options.development else ""
    publish(f"slope{suffix}", told, {"projects": results}, RESULTS)


if __name__ == "__main__":
    main()
