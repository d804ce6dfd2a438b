"""Makes ``prior.json``: ``python -m learner.gate.prior`` (what it was made of is in docs/gate.md)."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import click

from learner.gate.fitting import fit_prior
from learner.gate.gathering import folder_examples, gather, read_rows
from learner.gate.shipped import PRIOR
from learner.job import JobFiles, read_examples
from learner.privacy import PrivacyFilter
from learner.replay_text import replay_examples
from models.choice import model_path
from models.home import Home

SCRATCH = Path(".bench")


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    default=SCRATCH / "primer/training-6000-1",
    show_default=True,
    help="Folder with the primer's training examples.",
)
@click.option(
    "--rows",
    type=click.Path(path_type=Path),
    default=SCRATCH / "gate-prior.jsonl",
    show_default=True,
    help="Where the rows are kept; a run goes on with those that are there.",
)
@click.option("--count", default=300, show_default=True, help="Cursors of the primer's examples.")
@click.option("--library", default=60, show_default=True, help="Cursors of the Python standard library.")
@click.option("--each-folder", default=60, show_default=True, help="Cursors of each of FOLDERS.")
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--minutes", default=float("inf"), help="Stop gathering after the cursor begun by then.")
@click.option("--model", type=click.Path(path_type=Path), help="GGUF; by default the model in use.")
@click.option("--fit", "only_fit", is_flag=True, help="Gather nothing; fit the rows that are there.")
@click.option("--to", type=click.Path(path_type=Path), default=PRIOR, help="The prior's file.")
def main(
    folders: tuple[Path, ...], examples: Path, rows: Path, count: int, library: int, each_folder: int,
    seed: int, threads: int, minutes: float, model: Path | None, only_fit: bool, to: Path,
) -> None:  # fmt: skip
    """Ask the real engine at cursors of permissively licensed code, and fit the gate's prior to the rows.

    FOLDERS are further projects, best such that the model cannot have seen.
    """
    if not only_fit:
        drawn = read_examples(JobFiles(examples))
        random.Random(seed).shuffle(drawn)
        waiting = [each for folder in folders for each in folder_examples(folder, each_folder, 4, seed)]
        # Interleaved, so that a run that was stopped has some of both.
        waiting += [*drawn[:count], *replay_examples(library, seed, PrivacyFilter(()))]
        random.Random(seed).shuffle(waiting)
        rows.parent.mkdir(exist_ok=True)
        chosen = model or model_path(Home.find())
        if not gather(waiting, chosen, rows, threads=threads, minutes=minutes):
            sys.exit(f"stopped after {minutes:g} min; the same command goes on where it stopped")
    found = read_rows(rows)
    if not found:
        sys.exit(f"{rows} holds no rows; run without --fit first")
    to.write_text(fit_prior(found).to_json(), encoding="utf-8")
    click.echo(f"wrote {to}, {to.stat().st_size} bytes, from {len(found)} rows")


if __name__ == "__main__":
    main()
