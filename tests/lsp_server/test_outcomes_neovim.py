"""What real Neovim sent, replayed in its own time through the whole server, against what its script knew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sessions.replay import outcomes_of, replay, truths_of

RECORDINGS = sorted((Path(__file__).parents[1] / "sessions" / "recordings").glob("*.jsonl"))


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_each_outcome_of_a_recorded_neovim_session_is_told_right(recording: Path, tmp_path: Path):
    ledger = replay(recording, tmp_path)
    assert outcomes_of(ledger) == truths_of(recording)


def test_there_are_recordings():
    assert RECORDINGS
