"""What a running night costs whoever types meanwhile: the same keys without a night, and beside one.

    python benchmarks/night_latency.py [--project NAME] [--places N]

A server completes at places of a real project: first where nothing is evaluated yet, then at each of the next
keys. Beside it runs ``nightschool train`` in its training phase, as the schedule starts it (it pauses from
the first key on; before the next place it has gone on) and with ``--now`` (it does not pause, and has the
lowest priority). The places are the same for all three, the servers are not.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cursors import cursors
from estimates import paired, ratio_of_means, spread
from histories import REPLAYED, repository
from night import NIGHTSCHOOL, RELEASES, copy_of, environment, history_parser, learned_home
from pipe import Pipe, start_server, wait_until
from quality import distinct_files, lines_of_files
from report import Figure, at_most, publish
from rich.console import Console
from startup import ask, insertion, open_document

from learner.give_way import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cursors import Cursor

    from models.home import Home

WITHOUT, PAUSING, AT_ONCE = ARMS = (
    "without a night",
    "beside a night that gives way",
    "beside one that does not",
)
COLD, KEY = "cold", "key"
KEYS = 5
PAUSE_S = 0.25
"""Between two keys."""
LIMIT = 1.3
REST_S = 4.0
"""Between two places, so that what the server does when idle is done."""
Times = dict[str, list[float]]
"""Milliseconds by what was asked."""


def main() -> None:
    parser = history_parser(__doc__)
    parser.add_argument("--places", type=int, default=12, help="the same for each arm")
    options = parser.parse_args()
    learned = learned_home(options.project, options.outcomes)
    folder = repository(next(each for each in REPLAYED if each.name == options.project), RELEASES)
    times: dict[str, Times] = {}
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as scratch:
        for number, arm in enumerate(ARMS):
            home = copy_of(learned, Path(scratch, str(number)))
            with beside(arm, home):
                rest_s = Limits().quiet_s + REST_S if arm == PAUSING else REST_S
                times[arm] = measure(home, folder, places(folder, options.places), rest_s)
            Console(stderr=True).print(arm, {name: spread(of).as_json() for name, of in times[arm].items()})
    details = {"project": options.project, "milliseconds": times}
    publish("night_latency", figures(times), details, options.to)


def places(folder: Path, count: int) -> list[tuple[Cursor, str]]:
    """Return cursors of as many files, each with the file's text."""
    files = distinct_files(folder, lines_of_files(folder), count, seed=3)
    texts = dict(files)
    return [(cursor, texts[cursor.file]) for cursor in cursors(files, count, seed=3)]


@contextmanager
def beside(arm: str, home: Home) -> Iterator[None]:
    """Hold the body while a night trains in ``home``, if the arm has one."""
    if arm == WITHOUT:
        yield
        return
    command = [*NIGHTSCHOOL, "train", "--json", "--progress", "--minutes", "60"]
    command += ["--now"] if arm == AT_ONCE else []
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                progress = json.loads(line).get("progress", {})
                if progress.get("phase") == "train" and progress["done"]:
                    break
            else:
                raise SystemExit("the night ended before it trained")
            # What it says from now on must not fill the pipe, or it would wait.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield
            if process.poll() is not None:
                raise SystemExit("the night ended while completions were measured; measure fewer places")
        finally:
            process.terminate()


def measure(home: Home, folder: Path, places: list[tuple[Cursor, str]], rest_s: float) -> Times:
    """Type a few keys at each place; return the milliseconds of each answer."""
    found: Times = {COLD: [], KEY: []}
    pipe = start_server(home.root, {"debounce": 0}, folder)
    try:
        timed(pipe, open_document(pipe, folder / "engine.py", "import \n"), 0, 7)
        wait_until(pipe, lambda status: status["engine"] == "ready")
        for cursor, text in places:
            time.sleep(rest_s)
            rows = text.split("\n")
            rows[cursor.line] = rows[cursor.line][: cursor.column]
            uri = open_document(pipe, folder / cursor.file, "\n".join(rows))
            for count, key in enumerate(cursor.target[:KEYS]):
                at = cursor.column + count
                found[KEY if count else COLD].append(timed(pipe, uri, cursor.line, at))
                pipe.notify("textDocument/didChange", insertion(uri, cursor.line, at, key))
                time.sleep(PAUSE_S)
            pipe.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    finally:
        pipe.close()
    return found


def timed(pipe: Pipe, uri: str, line: int, column: int) -> float:
    began = time.perf_counter()
    ask(pipe, uri, line, column)
    return 1000 * (time.perf_counter() - began)


def figures(times: dict[str, Times]) -> list[Figure]:
    """Compare means: most later keys are answered without the engine, in a millisecond, as is the median."""
    found = []
    for name, said in ((COLD, "the first ghost text of a file"), (KEY, "a later key")):
        usual = times[WITHOUT][name]
        per_place = KEYS - 1 if name == KEY else 1
        place = [str(number // per_place) for number in range(len(usual))]
        found.append(
            Figure(
                f"{said}, {WITHOUT}, mean, ms",
                statistics.mean(usual),
                note=f"n = {len(usual)}, median {spread(usual).median:.1f}",
            )
        )
        for arm in (PAUSING, AT_ONCE):
            estimate = paired(times[arm][name], usual, place, ratio_of_means)
            told = f"{said}, {arm} / {WITHOUT}, means"
            figure = at_most(told, estimate.value, LIMIT, str(estimate))
            found.append(figure if arm == PAUSING else Figure(told, estimate.value, note=str(estimate)))
    return found


if __name__ == "__main__":
    main()
