"""Real Neovims with our plugin: 0.12, which draws ghost text itself, and 0.11, where the plugin does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.answers import ANSWERS
from tests.editors.neovim.driver import PROGRAMS, Editor, scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    OpenEditor = Callable[..., Editor]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pynvim closes its loop before its transports have gone.
    mark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if "tests/editors/neovim" in str(item.path):
            item.add_marker(mark)


@pytest.fixture(scope="module", params=list(PROGRAMS))
def version(request: pytest.FixtureRequest) -> str:
    if not PROGRAMS[request.param].is_file():
        pytest.fail(f"{PROGRAMS[request.param]} is missing; run: make nvim", pytrace=False)
    return request.param


@pytest.fixture(scope="module")
def editor(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One editor for the tests of a module that leave it as it was; each works in a file of its own.

    Not for the session: its noise is expected at the end of these tests alone.
    """
    directory = tmp_path_factory.mktemp("nvim")
    editor = Editor(version, directory, {"cmd": scripted(directory, ANSWERS)})
    yield editor
    editor.quit()


@pytest.fixture
def open_editor(tmp_path: Path) -> Iterator[OpenEditor]:
    """Start an editor of one's own, by default the newest with the scripted server."""
    editors: list[Editor] = []

    def start(version: str = "0.12", **options: Any) -> Editor:
        if "cmd" not in options:
            options["cmd"] = scripted(tmp_path, ANSWERS)
        editors.append(Editor(version, tmp_path, options))
        return editors[-1]

    yield start
    for each in editors:
        each.quit()
