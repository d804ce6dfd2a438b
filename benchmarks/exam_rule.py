"""How often the exam's rule promotes what is no better, or worse: simulated nights, one table.

Each question's log-loss moves by a true mean, by an amount that is its file's own, and by noise with heavy
tails (Student's t, 3 degrees of freedom); three answers in ten differ.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from learner.exam.bootstrap import clusters
from learner.exam.marks import Answer, Mark
from learner.exam.results import PaperResult
from learner.exam.sitting import Arm
from learner.exam.verdict import Limits, reasons_against

SIZES = ((20, 1), (20, 6), (60, 3), (60, 12), (200, 25))
"""Questions and files."""
MEANS = (0.0, 0.02, 0.05, -0.05, -0.1)
"""By how many nats per token the candidate is worse than what serves."""
FILE_SD, NOISE, SAVED_SD, CHANGED = 0.05, 0.25, 8.0, 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    rows = []
    print("questions  files  " + "  ".join(f"{mean:+6.2f}" for mean in MEANS))
    for questions, files in SIZES:
        rates = [promoted(questions, files, mean, options.nights) for mean in MEANS]
        print(f"{questions:9}  {files:5}  " + "  ".join(f"{rate:6.3f}" for rate in rates))
        rows.append(
            {"questions": questions, "files": files, "rates": dict(zip(map(str, MEANS), rates, strict=True))}
        )
    if options.to:
        options.to.write_text(json.dumps({"nights": options.nights, "promoted": rows}, indent=1) + "\n")


def promoted(questions: int, files: int, mean: float, nights: int) -> float:
    """Return the share of nights that promote a candidate which is worse by ``mean`` nats per token."""
    random = np.random.default_rng(1)
    same = [Mark(8.0, 8, True, Answer(10, True, 5))] * 20
    generic = PaperResult(dict.fromkeys(Arm, same), list(range(20)), 10)
    count = 0
    for _ in range(nights):
        outcomes = night(random, questions, files, mean)
        count += not reasons_against(outcomes, generic, (), Limits())
    return count / nights


def night(random: np.random.Generator, questions: int, files: int, mean: float) -> PaperResult:
    """Return what an exam would find; serving, primer and base are one adapter."""
    share = 1 / np.arange(1, files + 1)
    file = random.choice(files, questions, p=share / share.sum())
    tokens = 1 + random.geometric(1 / 8, questions)
    moved = (mean + random.normal(0, FILE_SD, files)[file]) * tokens
    moved += NOISE * np.sqrt(tokens) * random.standard_t(3, questions)
    differs = random.random(questions) < CHANGED
    saved = np.where(differs, np.round(random.normal(0, SAVED_SD, questions) - 1.5 * moved), 0)
    before = [Mark(8.0, int(count), False, Answer(10, False, 0)) for count in tokens]
    after = [
        Mark(8.0 + float(by), int(count), False, Answer(10, False, int(more)))
        for by, count, more in zip(moved, tokens, saved, strict=True)
    ]
    marks = {Arm.CANDIDATE: after, Arm.SERVING: before, Arm.PRIMER: before, Arm.BASE: before}
    return PaperResult(marks, clusters([str(number) for number in file]), 10)


if __name__ == "__main__":
    main()
