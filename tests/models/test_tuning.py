"""Finding and keeping the fastest settings, with a made-up machine."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from models.tuning import Search, Settings, Tuner, Tuning, default_settings, keystroke_ms

if TYPE_CHECKING:
    from pathlib import Path


def cost(settings: Settings) -> float:
    return 100.0 - 20 * (not settings.repack) + 5 * (not settings.flash) + 10 * abs(settings.threads - 3)


def test_the_search_finds_the_fastest_settings() -> None:
    search = Search(Settings(threads=4), cost, fixed_threads=False)
    while not search.is_done:
        search.step()
    assert search.best == Settings(threads=3, repack=False, flash=True)


def test_threads_that_were_chosen_stay() -> None:
    search = Search(Settings(threads=4), cost, fixed_threads=True)
    while not search.is_done:
        search.step()
    assert search.best.threads == 4


def test_a_measurement_called_off_is_made_again() -> None:
    calls = 0

    def measure(settings: Settings) -> float:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return cost(settings)

    search = Search(Settings(threads=4), measure, fixed_threads=False)
    search.step()
    with pytest.raises(KeyboardInterrupt):
        search.step()
    while not search.is_done:
        search.step()
    assert search.best == Settings(threads=3, repack=False)


def test_the_winner_is_kept_privately_per_model(tmp_path: Path) -> None:
    tuning = Tuning(tmp_path / "state" / "tuning.json")
    tuner = Tuner(tuning, Search(Settings(threads=4), cost, fixed_threads=False), lambda: "abc")
    while not tuner.is_done:
        tuner.step()
    tuning.keep("def", Settings(1))
    assert tuning.known("abc") == Settings(threads=3, repack=False)
    assert tuning.known("def") == Settings(1)
    assert tuning.known("other") is None
    assert stat.S_IMODE((tmp_path / "state" / "tuning.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}', "\0"])
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tuning.json"
    path.write_text(content)
    tuning = Tuning(path)
    assert tuning.known("abc") is None
    tuning.keep("abc", Settings(2))
    assert tuning.known("abc") == Settings(2)


def test_a_keystroke_is_three_tokens_ten_more_and_a_share_of_a_cold_prompt() -> None:
    now = 0.0

    def decode(rows: int) -> None:
        nonlocal now
        now += rows / 1000

    assert keystroke_ms(decode, lambda: now) == pytest.approx(3 + 10 + 0.2 * 64)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_there_is_no_thread_without_a_core_to_run_on() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert default_settings().threads == 1
    finally:
        os.sched_setaffinity(0, before)
