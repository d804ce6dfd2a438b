"""A real Neovim with its own LSP client and the real server: what it does is what the ledger says."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.sessions.neovim import neovim_program, play
from tests.sessions.neovim_scenes import SCENES
from tests.sessions.replay import outcomes_of, truths_of


# pynvim closes its loop before its transports have gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(300)
def test_each_outcome_in_neovim_is_told_right(tmp_path: Path):
    if not Path(neovim_program()).is_file():
        pytest.fail(f"{neovim_program()} is missing; run: make nvim", pytrace=False)
    play(tmp_path, SCENES)
    gc.collect()
    assert outcomes_of(tmp_path / "home" / "ledger.db") == truths_of(tmp_path / "recording.jsonl")
