"""What counts as a correction that recurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fact_builders import event, offered, settlement

from learner.facts import EventKind, Horizon, KnownBy
from learner.labels import Label
from learner.ledger_file import connect_to_read
from learner.report.estimates import Estimate, estimate_of, share_of
from learner.report.lessons import Correction, Outcome, difference, week
from learner.report.plots import Series, draw, steps
from models.prompt import Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from learner.ledger import Ledger
    from learner.report.lessons import Week

NOW = 1_790_000_000.0


def outcome(before: str, offered: str, settled: str) -> Outcome:
    return Outcome(NOW, "file:///p/a.py", "/p", 0, before, offered, settled, Label.EDITED)


@pytest.mark.parametrize(
    ("before", "offered", "settled", "expected"),
    [
        ("log = get", "Logger(name)", "_logger(name)", ("getLogger", "get_logger")),
        ("x = f(", "a)", "a, timeout=3)", ("", ", timeout=3")),
        ("x = f(", "a, 1)", "a)", (", 1", "")),
        ("if a:", "\n    b()\n    c()", "\n    b()\n    d()", ("c", "d")),
        ("x = ", "a ", "a", None),
        ("", "a" * 61, "b", None),
    ],
)
def test_a_correction_is_the_words_that_differ(
    before: str, offered: str, settled: str, expected: tuple[str, str] | None
) -> None:
    assert difference(outcome(before, offered, settled)) == expected


def record(ledger: Ledger, name: str, line: int, at: float, text: str, settled: str, kind: EventKind) -> None:
    prompt = Prompt("log = ", "\n", "a.py", "project", ())
    ledger.record(offered(name, line=line, offered_at=at, text=text, prompt=prompt))
    ledger.record(event(kind, KnownBy.EXPLICIT, name))
    ledger.record(settlement(settled, Horizon.S30, 3, 0 if text == settled else 5, name))


def read(path: Path) -> Week:
    connection = connect_to_read(path)
    try:
        return week(connection, NOW)
    finally:
        connection.close()


def test_corrections_count_by_place_and_say_what_was_right_since(ledger: Ledger, ledger_path: Path) -> None:
    wrong, right = "getLogger(n)", "get_logger(n)"
    # The same line three times while it was typed, another line once.
    for number, line in enumerate((1, 1, 1, 7)):
        record(ledger, f"o{number}", line, NOW - 900 + number, wrong, right, EventKind.ACCEPTED)
    # Only ever on one line: that is no habit.
    for number in range(3):
        record(ledger, f"line{number}", 20, NOW - 800 + number, "a(n)", "b(n)", EventKind.ACCEPTED)
    record(ledger, "right", 30, NOW - 700, right, right, EventKind.ACCEPTED)
    record(ledger, "long ago", 40, NOW - 8 * 86_400, wrong, right, EventKind.ACCEPTED)
    assert ledger.flush()
    found = read(ledger_path)
    assert found.corrections == (Correction("getLogger", "get_logger", 2, 1, 1),)
    assert found.outcomes == 8
    assert [sample.became for sample in found.samples] == ["b(n)", right]


def test_what_a_formatter_wrote_is_no_correction(ledger: Ledger, ledger_path: Path) -> None:
    for number, line in enumerate((1, 7)):
        name = f"o{number}"
        prompt = Prompt("log = ", "\n", "a.py", "project", ())
        ledger.record(offered(name, line=line, offered_at=NOW - 60, text="a('x')", prompt=prompt))
        ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT, name))
        ledger.record(event(EventKind.DISTURBED, KnownBy.INFERRED, name))
        ledger.record(settlement('a("x")', Horizon.S30, 4, 2, name))
    assert ledger.flush()
    assert read(ledger_path).corrections == ()


def test_files_that_git_ignores_by_now_are_left_out(
    ledger: Ledger, ledger_path: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for number, line in enumerate((1, 7)):
        name = f"o{number}"
        prompt = Prompt("log = ", "\n", "a.py", "project", ())
        uri = (project / "a.py").as_uri()
        ledger.record(offered(name, line=line, offered_at=NOW - 60, text="aaaa(n)", prompt=prompt, uri=uri,
                              project=str(project)))  # fmt: skip
        ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT, name))
        ledger.record(settlement("bbbb(n)", Horizon.S30, 3, 4, name))
    assert ledger.flush()
    assert len(read(ledger_path).corrections) == 1
    (project / ".gitignore").write_text("a.py\n")
    found = read(ledger_path)
    assert (found.outcomes, found.corrections, found.samples) == (0, (), ())


def test_a_week_is_found_by_its_time_however_long_the_ledger(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered())
    assert ledger.flush()
    connection = connect_to_read(ledger_path)
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    week(connection, NOW)
    connection.set_trace_callback(None)
    (query,) = [each for each in asked if "ORDER BY offered_at DESC" in each]
    steps_of = connection.execute("EXPLAIN QUERY PLAN " + query).fetchall()
    connection.close()
    # Of the whole, not of what is asked for each row.
    plan = [step for _, parent, _, step in steps_of if parent == 0]
    assert plan[0] == "SEARCH offers USING INDEX offers_by_time (offered_at>?)"
    assert not any(step.startswith("SCAN") or "ORDER BY" in step for step in plan)


def test_a_share_has_wilsons_interval() -> None:
    found = share_of(8, 10)
    assert found and found.low is not None and found.high is not None
    # As R's prop.test(8, 10, correct = FALSE) has it.
    assert (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)
    assert share_of(0, 0) is None
    none = share_of(0, 5)
    assert none and none.low == 0.0


@pytest.mark.parametrize("value", [None, "x", True, float("nan"), {"mean": None}, []])
def test_what_is_no_figure_is_none(value: object) -> None:
    assert estimate_of(value) is None


def test_axes_have_zero_and_hold_every_interval() -> None:
    assert steps([0.31, 0.385])[0] == 0.0
    assert steps([-3.0, 12.0])[0] <= -3 and 0.0 in steps([-3.0, 12.0])
    assert steps([0.99], most=1.0)[-1] == 1.0
    assert steps([]) and steps([0.0])[-1] > 0
    drawing = draw("n", "t", "d", "u", [Series("s", {1.0: Estimate(2.0, -1.0, 9.0)}, dots=True)], x_ticks=[])
    (layer,) = drawing.layers
    ((_, top, bottom),) = layer.whiskers
    assert 28 <= top < drawing.zero < bottom <= 206
