"""Fixtures that every test may use: a private home, the two real models, and llama.cpp's log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.llama import Log

# Tests run beside other work: OpenMP's threads must not spin, as they do not in the engine process. Read when
# OpenMP is loaded, so before any test imports llama.cpp or torch.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

REPOSITORY = Path(__file__).resolve().parent.parent


def model_file(models: Path, filename: str, name: str) -> Path:
    """Return the model's path; a missing model fails the test, since a skipped one proves nothing."""
    path = models / filename
    if not path.is_file():
        pytest.fail(
            f"{path} is missing; run: NIGHTSCHOOL_HOME={models.parent} nightschool model get {name}",
            pytrace=False,
        )
    return path


@pytest.fixture(scope="session")
def models_home() -> Path:
    """The home that holds the downloaded models (``NIGHTSCHOOL_TEST_HOME``, else the repository's own)."""
    return Path(os.environ.get("NIGHTSCHOOL_TEST_HOME", REPOSITORY / ".nightschool")).resolve()


@pytest.fixture
def home(models_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh ``NIGHTSCHOOL_HOME`` whose models are the downloaded ones; child processes inherit it."""
    root = tmp_path / "home"
    root.mkdir(mode=0o700)
    (root / "models").symlink_to(models_home / "models", target_is_directory=True)
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(root))
    return root


@pytest.fixture(scope="session")
def smollm(models_home: Path) -> Path:
    """SmolLM2-135M: small and quick, without FIM tokens; where the quality does not matter."""
    return model_file(models_home / "models", "smollm2-135m-instruct-q4_1.gguf", "smollm2-135m")


@pytest.fixture(scope="session")
def qwen(models_home: Path) -> Path:
    """Qwen2.5-Coder-1.5B, the default model."""
    return model_file(models_home / "models", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "qwen2.5-coder-1.5b")


@pytest.fixture(scope="session")
def llama_log() -> Log:
    """llama.cpp's log in this process; imported late, so that other tests do without llama.cpp."""
    from models.llama import Log

    return Log()
