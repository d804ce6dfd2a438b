"""Model tests run beside other work: OpenMP's threads must not spin there, as in the engine process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.llama import Log

# Read by OpenMP when it is loaded, so before any test imports llama.cpp.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


@pytest.fixture(scope="session")
def llama_log() -> Log:
    """llama.cpp's log in this process; imported late, so that other tests do without llama.cpp."""
    from models.llama import Log

    return Log()
