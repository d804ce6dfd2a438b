"""What the rows amount to: sums over answers, intervals over files, pairs by question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from learner.replay.figures import interval, results
from learner.replay.record import Phase, Row
from learner.replay.table import told

ROW = Row(
    project="p", phase=Phase.BLOCK, arm="frozen", interactions=0, number=0, file="a.py", duplicate=False,
    typed=20, shown=True, taken="whole", saved=11, corrections=0, net=10, exact=True, similarity=1.0,
    log_loss=4.0, tokens=2,
)  # fmt: skip


def rows(arm: str, nets: list[int], phase: Phase = Phase.BLOCK, at: int = 0) -> list[Row]:
    return [
        replace(
            ROW,
            arm=arm,
            phase=phase,
            interactions=at,
            number=number,
            file=f"f{number % 10}.py",
            net=net,
            exact=net > 0,
            duplicate=number % 2 == 0,
        )
        for number, net in enumerate(nets)
    ]


def test_net_saved_is_per_thousand_characters_typed() -> None:
    assert interval([ROW, replace(ROW, net=-1, typed=80)], "net_saved_per_1000")["mean"] == pytest.approx(90)
    assert interval([ROW, replace(ROW, log_loss=0.0, tokens=6)], "log_loss")["mean"] == pytest.approx(0.5)


def test_without_an_answer_there_is_no_figure() -> None:
    assert interval([], "exact_match") == {"mean": None, "low": None, "high": None}
    assert interval([ROW], "exact_match") == {"mean": 1.0, "low": None, "high": None}


def test_an_interval_of_a_share_stays_a_share() -> None:
    found = interval(rows("frozen", [10, -1, 10]), "exact_match")
    assert found["low"] == 0.0 and found["high"] == 1.0


def test_a_difference_is_paired_by_question() -> None:
    """Answers that differ by the same amount everywhere differ surely, however much they vary."""
    static = rows("static", [number * 7 % 20 for number in range(40)])
    memory = [replace(row, arm="memory", net=row.net + 2) for row in static]
    result = results({0: [*static, *memory]})
    (found,) = [row for row in result["differences"] if (row["arm"], row["against"]) == ("memory", "static")]

    assert found["mean"] == found["low"] == found["high"] == pytest.approx(100)


def test_arms_are_judged_after_the_whole_stream_and_the_slope_keeps_each_time() -> None:
    result = results(
        {
            0: [
                *rows("frozen", [1] * 10),
                *rows("memory", [1] * 10),
                *rows("memory", [4] * 10, at=10),
                *rows("memory", [9] * 10, phase=Phase.STREAM),
                *rows("memory", [2] * 10, phase=Phase.RETURN, at=20),
            ]
        }
    )

    assert result["arms"]["memory"]["net_saved_per_1000"]["mean"] == pytest.approx(200)
    assert result["stream"]["memory"]["net_saved_per_1000"]["mean"] == pytest.approx(450)
    slope = {
        (row["arm"], row["interactions"], row["returned"]): row["net_saved_per_1000"]
        for row in result["slope"]
    }
    assert slope == {
        ("frozen", 0, False): pytest.approx(50),
        ("frozen", 10, False): pytest.approx(50),
        ("memory", 0, False): pytest.approx(50),
        ("memory", 10, False): pytest.approx(200),
        ("memory", 20, True): pytest.approx(100),
    }


def test_the_slope_has_an_interval_over_files_at_each_point() -> None:
    (point,) = results({0: rows("frozen", [1, 9] * 10)})["slope"]
    arm = results({0: rows("frozen", [1, 9] * 10)})["arms"]["frozen"]
    for name in ("net_saved_per_1000", "exact_match"):
        assert {"mean": point[name], **point["intervals"][name]} == arm[name]
    assert point["intervals"]["net_saved_per_1000"]["low"] < point["net_saved_per_1000"]


def test_duplicates_and_novel_lines_are_told_apart() -> None:
    arm = results({0: rows("frozen", [10, -1] * 10)})["arms"]["frozen"]

    assert arm["duplicates"]["exact_match"]["mean"] == 1.0
    assert arm["novel"]["exact_match"]["mean"] == 0.0


def test_figures_are_told_with_their_interval() -> None:
    assert told({"mean": 0.5, "low": 0.25, "high": 0.75}, 100, 1) == "50.0\n25.0 … 75.0"
    assert told({"mean": 0.5, "low": None, "high": None}, 100, 1) == "50.0"
    assert told({"mean": None}, 100, 1) == "-"
