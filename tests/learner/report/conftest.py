"""A seeded home, what is reported of it, and a headless browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from seeded import NOW, seed_home

from learner.ledger_file import connect_to_read
from learner.report.contents import gather
from learner.report.page import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from learner.report.contents import Contents
    from models.home import Home

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


@pytest.fixture(scope="package")
def worked_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Eight weeks of work; the tests only read it."""
    return seed_home(tmp_path_factory.mktemp("report") / "home")


@pytest.fixture(scope="package")
def contents(worked_home: Home) -> Contents:
    connection = connect_to_read(worked_home.ledger)
    try:
        return gather(worked_home, connection, NOW)
    finally:
        connection.close()


@pytest.fixture(scope="package")
def html(contents: Contents) -> str:
    return render(contents)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for longer: Playwright's event loop runs in this thread, where others have theirs."""
    if not Path(CHROMIUM).is_file():
        pytest.fail(f"{CHROMIUM} is missing; run: make vscode", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
