"""The options of a benchmark that runs for long: in parts, and each part's figures can be seen."""

from __future__ import annotations

import argparse
from pathlib import Path

from report import RESULTS


def options_parser(description: str | None, *, seed: int = 1) -> argparse.ArgumentParser:
    """Return a parser to which a benchmark adds what is its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--threads", type=int, default=2)
    add("--seed", type=int, default=seed)
    add("--model", type=Path, metavar="GGUF", help="by default the model in use")
    add("--minutes", type=float, default=float("inf"), help="stop after the place begun by then")
    add("--report", action="store_true", help="only print the figures of what was run so far")
    add("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result is written")
    return parser
