from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from offers import rows

from learner.gate.fitting import fit_prior

if TYPE_CHECKING:
    from learner.gate.shipped import Prior


@pytest.fixture(scope="session")
def prior() -> Prior:
    """A prior of 300 made-up rows; tests of what ships read the file."""
    return fit_prior(rows(300))
