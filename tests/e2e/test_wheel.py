"""What a user installs: the wheel alone, without development dependencies, outside the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from lsp_server.jsonrpc import read_messages

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {"learner", "lsp_server", "models"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(directory), str(REPOSITORY))
    return next(directory.glob("nightschool-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` directory of an environment like pipx's; pip has kept the compiled llama-cpp-python."""
    environment = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip(
        "install",
        "--constraint",
        str(REPOSITORY / "constraints.txt"),
        str(wheel),
        python=environment / "bin" / "python",
    )
    return environment / "bin"


def pip(*words: str, python: Path | str = sys.executable) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "--quiet", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def elsewhere(tmp_path: Path, home: Path) -> dict[str, Any]:
    """A directory and an environment for a process that knows nothing of the repository."""
    directory = tmp_path / "empty"
    directory.mkdir()
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return {"cwd": directory, "env": keep}


def test_the_wheel_holds_the_packages_and_the_demo_project_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == PACKAGES
    assert "lsp_server/demo_project/loans.py" in names
    assert not [name for name in names if "test" in name or name.endswith(".pyc")]


@pytest.mark.timeout(600)
def test_the_installed_program_runs_without_the_repository(installed, elsewhere):
    def output(*words: str) -> str:
        command = [str(installed / "nightschool"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, **elsewhere).stdout

    assert output("--version") == "nightschool 0.1.0\n"
    assert "smollm2-135m" in [row["name"] for row in json.loads(output("model", "list", "--json"))]
    for command in ("data", "demo", "doctor", "model", "report", "serve", "stats", "status"):
        assert output(command, "--help").startswith("Usage: nightschool")


@pytest.mark.timeout(600)
def test_the_installed_server_answers_initialize_and_shutdown(installed, elsewhere):
    messages = b"".join(
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in (
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}',
            b'{"jsonrpc":"2.0","id":2,"method":"shutdown"}',
            b'{"jsonrpc":"2.0","method":"exit"}',
        )
    )
    server = [str(installed / "nightschool"), "serve", "--stdio", "--model", "smollm2-135m"]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **elsewhere) as process:
        assert process.stdin and process.stdout
        process.stdin.write(messages)
        process.stdin.flush()
        answers = {
            answer.get("id"): answer
            for answer in map(json.loads, read_messages(cast("BinaryIO", process.stdout)))
        }

    assert "inlineCompletionProvider" in answers[1]["result"]["capabilities"]
    assert answers[2]["result"] is None
    assert process.returncode == 0
