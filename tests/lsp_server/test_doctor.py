"""The doctor finds what is broken, and names the remedy."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from click.testing import CliRunner

from learner.registry import Registry
from lsp_server import doctor as doctors
from lsp_server.cli import main
from lsp_server.doctor import State, examine
from models.choice import choose
from models.home import Home


def finding(root, name):
    return next(each for each in examine(Home(root)) if each.name == name)


def test_all_is_well_with_a_model_here(home):
    result = CliRunner().invoke(main, ["doctor", "--json"])

    findings = json.loads(result.stdout)
    assert [each["name"] for each in findings if each["state"] == "fail"] == []
    assert {each["name"] for each in findings} == {
        "python",
        "llama.cpp",
        "model",
        "adapter",
        "memory",
        "disk",
        "ledger",
        "privacy",
    }
    assert result.exit_code == 0


def test_an_absent_model_is_a_failure_with_its_command(tmp_path):
    model = finding(tmp_path / "new", "model")

    assert model.state is State.FAIL
    assert model.remedy == "nightschool model get qwen2.5-coder-1.5b"


def test_a_failure_is_the_exit_code(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path / "new"))

    result = CliRunner().invoke(main, ["doctor"])

    assert result.exit_code == 1
    assert "→ nightschool model get" in result.stdout


def test_a_model_with_a_flipped_byte_is_found(tmp_path, smollm):
    home = Home(tmp_path)
    home.models.mkdir()
    damaged = home.models / smollm.name
    shutil.copy(smollm, damaged)
    with damaged.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"flipped")
    home.choice.write_text('{"model": "smollm2-135m"}')

    model = finding(tmp_path, "model")

    assert model.state is State.FAIL
    assert "is not the file of smollm2-135m" in model.message


def test_a_choice_that_cannot_be_read_is_found(home):
    (home / "model.json").write_text("{")

    model = finding(home, "model")

    assert model.state is State.FAIL
    assert model.remedy == "nightschool model use qwen2.5-coder-1.5b"


def test_a_damaged_ledger_is_found(home):
    (home / "ledger.db").write_bytes(b"no database" * 1000)

    ledger = finding(home, "ledger")

    assert ledger.state is State.FAIL
    assert "not a database" in ledger.message


def test_a_ledger_that_others_can_read_is_found(home):
    (home / "ledger.db").touch(mode=0o644)
    (home / "ledger.db").chmod(0o644)

    privacy = finding(home, "privacy")

    assert privacy.state is State.WARN
    assert privacy.remedy == f"chmod go= {home / 'ledger.db'}"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.kill(os.getpid(), 4)", "it ended with code -4"),
        ("raise OSError('libllama.so: cannot open shared object file')", "OSError: libllama.so: cannot open"),
    ],
)
def test_a_library_that_does_not_load_is_found(home, monkeypatch, program, said):
    monkeypatch.setattr(doctors, "LIBRARY_TEST", program)

    library = finding(home, "llama.cpp")

    assert library.state is State.FAIL
    assert said in library.message
    assert "compile it for this machine" in library.remedy


def test_a_damaged_adapter_is_found(tmp_path):
    model = tmp_path / "model.gguf"
    model.write_bytes(b"a model")
    home = Home(tmp_path / "home")
    choose(home, str(model))
    registry = Registry(home)
    assert finding(home.root, "adapter").message == "the base model serves alone, 0 kept"
    unfinished = tmp_path / "unfinished.gguf"
    unfinished.write_bytes(b"GGUF")
    base = hashlib.sha256(b"a model").hexdigest()
    adapter = registry.add(unfinished, "20261121-0300-3f2a", {"base": base, "created": 1.0})
    registry.promote(adapter.id)
    assert finding(home.root, "adapter").message == "20261121-0300-3f2a serves, 1 kept"
    adapter.path.write_bytes(b"GGUG")
    found = finding(home.root, "adapter")
    assert found.state is State.WARN
    assert "is damaged" in found.message
    registry.current.write_text("{")
    assert "does not say which adapter serves" in finding(home.root, "adapter").message
