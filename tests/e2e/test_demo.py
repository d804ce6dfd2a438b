"""The demo, with the real default model, as ``make demo`` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from lsp_server.cli import main
from lsp_server.demo_scenes import PROJECT, SCENES


def invoked(*words):
    """Return what the program prints as JSON, run as a process of its own."""
    program = "from lsp_server.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
def test_each_cursor_gets_ghost_text_and_each_outcome_is_recorded(home, qwen):
    result = invoked("demo", "--json")
    scenes = {scene["title"]: scene for scene in result["scenes"]}

    assert [scene["title"] for scene in result["scenes"]] == [scene.title for scene in SCENES]
    assert scenes["mid-line"]["ghost"].startswith("loan.")
    assert scenes["mid-word"]["ghost"].startswith("ber")
    assert len(scenes["mid-line"]["typed_on_ms"]) == 4
    assert scenes["line start"]["outcome"]["label"] == "accepted"
    assert scenes["accepted, then edited"]["outcome"]["label"] == "edited"
    assert scenes["rejected"]["outcome"]["label"] == "rejected"
    assert not (home / "ledger.db").exists()


def test_without_a_model_the_demo_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path))

    result = CliRunner().invoke(main, ["demo"])

    assert result.exit_code == 1
    assert result.stderr.endswith("run: nightschool model get qwen2.5-coder-1.5b\n")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_what_a_scene_takes_out_stands_once_in_the_project(scene):
    text = (PROJECT / scene.file).read_text(encoding="utf-8")

    assert text.count(scene.before + scene.removed) == 1
    assert scene.typed <= len(scene.before)


@pytest.mark.timeout(900)
def test_after_a_day_and_a_night_the_like_places_are_right(home, smollm):
    result = invoked("demo", "--night", "--model", str(smollm), "--json")

    assert len(result["places"]) == 12
    assert result["right"]["before"] == 0
    assert sum(result["day"].values()) == 90
    assert result["right"]["after the day"] >= 6
    assert (result["night"]["verdict"], result["night"]["reasons"]) == ("promoted", [])
    assert result["is_serving"]
    assert result["right"]["after the night"] >= 6
    exam = result["night"]["exam"]
    assert exam["candidate"]["outcomes"]["net_saved"] > exam["base"]["outcomes"]["net_saved"]
    assert not (home / "ledger.db").exists()
