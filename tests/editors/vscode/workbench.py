"""A project in a real VS Code workbench: its settings, its home and ledger, its window in a browser."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.editors.vscode.editor import Editor
from tests.editors.vscode.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.code_server import CodeServer

CHROMIUM = "/usr/bin/chromium"
BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NOTE = """
window.messages = [];
window.statuses = [];
const seen = new WeakMap();
const note = () => {
  for (const element of document.querySelectorAll('.notification-list-item-message')) {
    const text = element.textContent;
    if (text && seen.get(element) !== text) {
      seen.set(element, text);
      window.messages.push(text);
    }
  }
  const item = document.querySelector(".statusbar-item[id*='nightschool']");
  const status = item && item.getAttribute('aria-label');
  if (status && status !== window.statuses.at(-1)) window.statuses.push(status);
};
new MutationObserver(note).observe(
  document,
  { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['aria-label'] },
);
"""
"""Keeps what is said: messages that nobody answers are put away, and a status gives way to the next."""


@dataclass
class Rows:
    """The ledger's view of outcomes, as another process reads it."""

    ledger: Path

    def outcomes(self) -> list[dict[str, Any]]:
        if not self.ledger.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"{self.ledger.as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute("SELECT * FROM outcomes")]
            except sqlite3.OperationalError:  # the tables are not made yet
                return []

    def of(self, file: str) -> list[dict[str, Any]]:
        """Return the outcomes in a file or an untitled buffer of this name."""
        ends = (f"/{quote(file)}", f":{quote(file)}")
        return [row for row in self.outcomes() if row["uri"].endswith(ends)]

    def labelled(self, label: str, file: str) -> dict[str, Any]:
        """Wait for an outcome of this label in this file."""
        return until(
            lambda: next((row for row in self.of(file) if row["label"] == label), None),
            f"an outcome {label!r} in {file}",
        )


@dataclass
class Workbench:
    """A project, and a home whose ledger tells what became of the offers in it."""

    server: CodeServer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir()
        self.home.mkdir(mode=0o700)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def rows(self) -> Rows:
        return Rows(self.home / "ledger.db")

    def change_settings(self, **settings: Any) -> None:
        """Change settings under ``nightschool.``; two underscores are a dot, and None takes one back."""
        for name, value in settings.items():
            self.settings[f"nightschool.{name.replace('__', '.')}"] = value
        self.server.write_settings(
            {name: value for name, value in self.settings.items() if value is not None}
        )

    @contextlib.contextmanager
    def opened(self, browser: Browser, query: str = "") -> Iterator[Editor]:
        """Open the project (or what ``query`` names) in a window."""
        self.change_settings()
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        try:
            page = context.new_page()
            page.set_default_timeout(1000 * PATIENCE_S)
            page.add_init_script(NOTE)
            page.goto(f"{self.server.address}?{query or f'folder={self.project}'}")
            page.locator(".monaco-workbench").wait_for()
            yield Editor(page, self)
        finally:
            context.close()
