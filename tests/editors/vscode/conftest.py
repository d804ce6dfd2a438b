"""One workbench server for all tests, one window for the tests of a module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from tests.editors.vscode.code_server import PROGRAM, VSIX, CodeServer
from tests.editors.vscode.programs import scripted
from tests.editors.vscode.workbench import BROWSER_FLAGS, CHROMIUM, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.editors.vscode.editor import Editor

    NewWorkbench = Callable[..., Workbench]

READY_S = 60.0


@pytest.fixture(scope="session")
def code_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    for path, remedy in ((PROGRAM, "make vscode"), (VSIX, "make vsix"), (Path(CHROMIUM), "make vscode")):
        if not Path(path).is_file():
            pytest.fail(f"{path} is missing; run: {remedy}", pytrace=False)
    with CodeServer(tmp_path_factory.mktemp("vscode")).running() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: Playwright's event loop runs in this thread, where others have theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def new_workbench(code_server: CodeServer, tmp_path_factory: pytest.TempPathFactory) -> NewWorkbench:
    def new(**settings: Any) -> Workbench:
        workbench = Workbench(code_server, tmp_path_factory.mktemp("workbench"))
        workbench.settings = settings
        return workbench

    return new


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What the scripted model says in a module's :func:`editor`."""
    return {}


@pytest.fixture(scope="module")
def editor(browser: Browser, new_workbench: NewWorkbench, answers: dict[str, str]) -> Iterator[Editor]:
    """A window with the scripted model; each test uses a file of its own."""
    workbench = new_workbench()
    workbench.change_settings(server__command=scripted(workbench.home, answers))
    with workbench.opened(browser) as editor:
        editor.wait_for_status("ready", READY_S)
        yield editor
