"""One headless browser for all tests, one workbench for those that need nothing special."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.editors.vscode.workbench import BROWSER_FLAGS, CHROMIUM, PROGRAM, VSIX, Editor, Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

READY_S = 60.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: Playwright's event loop runs in this thread, where others have theirs."""
    for path, remedy in ((PROGRAM, "make vscode"), (VSIX, "make vsix"), (Path(CHROMIUM), "make vscode")):
        if not Path(path).is_file():
            pytest.fail(f"{path} is missing; run: {remedy}", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_FLAGS)
        yield browser
        browser.close()


def fresh_home(folder: Path, models_home: Path) -> Path:
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "models").symlink_to(models_home / "models", target_is_directory=True)
    return home


@pytest.fixture(scope="module")
def editor(browser: Browser, models_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """A workbench with the default model; the tests use a file each."""
    folder = tmp_path_factory.mktemp("vscode")
    with Workbench(folder, fresh_home(folder, models_home)).running(browser) as editor:
        editor.page.set_default_timeout(15_000)
        editor.wait_for_status("ready", READY_S)
        yield editor
