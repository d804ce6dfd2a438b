"""The command line as a user meets it: its exit codes, its JSON, its one-line errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from learner.registry import Registry
from lsp_server.cli import main
from models.checksum import sha256_of
from models.home import Home

MODEL_KEYS = {"name", "installed", "in_use", "size", "memory", "licence", "fim", "sha256", "path", "sources"}


def run(*words: str):
    return CliRunner().invoke(main, words)


def test_the_models_are_listed_with_what_each_needs(home):
    result = run("model", "list", "--json")

    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert set(rows["qwen2.5-coder-3b"]) == MODEL_KEYS
    assert [name for name, row in rows.items() if row["in_use"]] == ["qwen2.5-coder-1.5b"]
    assert rows["smollm2-135m"]["installed"]
    assert not rows["smollm2-135m"]["fim"]
    assert not rows["qwen2.5-coder-7b"]["installed"]


def test_the_table_is_not_folded_for_another_program(home):
    lines = run("model", "list").stdout.splitlines()

    assert len(lines) == 7
    assert lines[0].split() == ["MODEL", "HERE", "IN", "USE", "SIZE", "MEMORY", "FIM", "LICENCE"]


def test_path_prints_the_path_and_nothing_else(home, qwen, smollm):
    assert run("model", "path").stdout == f"{home}/models/{qwen.name}\n"
    assert run("model", "path", "smollm2-135m").stdout == f"{home}/models/{smollm.name}\n"


def test_path_of_an_absent_model_tells_the_command_on_stderr(home):
    result = run("model", "path", "qwen2.5-coder-7b")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.endswith("is not here; run: nightschool model get qwen2.5-coder-7b\n")


def test_a_model_is_chosen_by_name(home):
    assert json.loads(run("model", "use", "smollm2-135m", "--json").stdout)["architecture"] == "llama"
    assert run("model", "path").stdout.endswith("smollm2-135m-instruct-q4_1.gguf\n")


def test_a_model_is_chosen_by_path_and_listed(home, smollm, tmp_path):
    own = tmp_path / "own.gguf"
    shutil.copy(smollm, own)

    assert run("model", "use", str(own)).exit_code == 0
    row = json.loads(run("model", "list", "--json").stdout)[-1]
    assert (row["name"], row["in_use"], row["size"]) == (str(own), True, smollm.stat().st_size)


def test_a_file_that_is_no_model_is_not_chosen(home, tmp_path):
    page = tmp_path / "page.gguf"
    page.write_text("<html>")

    result = run("model", "use", str(page))

    assert result.exit_code == 1
    assert "is no GGUF model" in result.stderr
    assert not (home / "model.json").exists()


def test_getting_what_is_here_is_nothing_to_do(home, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    result = run("model", "get", "smollm2-135m", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["downloaded"] is False


def test_an_unknown_model_is_one_line_on_stderr(home):
    result = run("model", "get", "gpt-9")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no model is called 'gpt-9'; the catalogue has: ")
    assert result.stderr.count("\n") == 1


def test_a_home_that_cannot_be_written_is_one_line_on_stderr(monkeypatch, smollm):
    monkeypatch.setenv("NIGHTSCHOOL_HOME", "/dev/null/home")

    result = run("model", "use", str(smollm))

    assert result.exit_code == 1
    assert result.stderr == "Error: /dev/null/home: Not a directory\n"


@pytest.mark.parametrize("words", [["model", "get", "--fast"], ["nonsense"], ["serve", "extra"]])
def test_wrong_usage_is_exit_code_two(home, words):
    assert run(*words).exit_code == 2


def test_the_status_tells_what_is_served(home):
    found = json.loads(run("status", "--json").stdout)

    assert found["model"]["name"] == "qwen2.5-coder-1.5b"
    assert found["model"]["architecture"] == "qwen2"
    assert found["adapter"] is None or found["adapter"]["id"] == "primer"
    assert found["engine"]["state"] in ("running", "stopped")
    assert found["settings"]["enabled"] is True


def test_the_status_tells_the_adapter_and_since_when(home, smollm, tmp_path):
    assert run("model", "use", "smollm2-135m").exit_code == 0
    assert json.loads(run("status", "--json").stdout)["adapter"] is None
    assert "adapter   none; the base model serves alone" in run("status").stdout
    registry, unfinished = Registry(Home(home), now=lambda: 1e9), tmp_path / "unfinished.gguf"
    unfinished.write_bytes(b"GGUF")
    record = {"base": sha256_of(smollm), "created": 1.0, "parent": "primer"}
    registry.add(unfinished, "20261121-0300-3f2a", record)
    registry.promote("20261121-0300-3f2a")

    found = json.loads(run("status", "--json").stdout)

    assert found["adapter"] == {"id": "20261121-0300-3f2a", "parent": "primer", "since": 1e9}
    assert "adapter   20261121-0300-3f2a, since 2001-09-09 " in run("status").stdout


def test_serving_imports_neither_rich_nor_a_download_nor_another_command():
    forbidden = [
        "rich",
        "urllib.request",
        "models.download",
        "models.cli",
        "lsp_server.doctor",
        "numpy",
        "llama_cpp",
    ]
    program = (
        "import sys; from lsp_server import cli, server; "
        f"print([name for name in {forbidden} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ.copy()
    )

    assert result.stdout == "[]\n"
