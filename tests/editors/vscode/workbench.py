"""A real VS Code workbench with the packaged extension: code-server, driven through a headless browser."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from playwright.sync_api import Error as BrowserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("CODE_SERVER_PROGRAM", REPOSITORY / ".bench/code-server/bin/code-server"))
VSIX = REPOSITORY / "editor-clients/vscode/nightschool.vsix"
CHROMIUM = "/usr/bin/chromium"
BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SETTINGS = {
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.enableExperiments": False,
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.occurrencesHighlight": "off",
    "files.autoSave": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "nightschool.server.command": [str(Path(sys.executable).parent / "nightschool")],
    "nightschool.debounce": 0,
}
PATIENCE_S = 60.0

T = TypeVar("T")


def until(find: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return what ``find`` returns once it is neither None nor false."""
    pause = threading.Event()
    deadline = time.monotonic() + patience_s
    while True:
        if found := find():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {patience_s:g} s")
        pause.wait(0.05)


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

    def labelled(self, label: str, file: str) -> dict[str, Any]:
        """Wait for an outcome of this label in this file."""
        return until(
            lambda: next(
                (row for row in self.outcomes() if row["label"] == label and row["uri"].endswith(file)), None
            ),
            f"an outcome {label!r} in {file}",
        )


@dataclass
class Workbench:
    """One code-server with its own home, settings and project."""

    folder: Path
    home: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def rows(self) -> Rows:
        return Rows(self.home / "ledger.db")

    @contextlib.contextmanager
    def running(self, browser: Browser) -> Iterator[Editor]:
        """Install the extension, start the server, open the project in a page."""
        self.project.mkdir(exist_ok=True)
        user = self.folder / "user"
        # The machine's own settings as well: to the browser this server is a remote machine.
        for scope in ("User", "Machine"):
            (user / scope).mkdir(parents=True, exist_ok=True)
            (user / scope / "settings.json").write_text(json.dumps(SETTINGS | self.settings))
        folders = ["--user-data-dir", str(user), "--extensions-dir", str(self.folder / "extensions")]
        environment = os.environ | {"NIGHTSCHOOL_HOME": str(self.home), "VSCODE_PROXY_URI": ""}
        subprocess.run(
            [str(PROGRAM), *folders, "--install-extension", str(VSIX)],
            check=True, capture_output=True, env=environment, timeout=120,
        )  # fmt: skip
        port = _free_port()
        command = [str(PROGRAM), *folders, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}"]
        command += ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
        with (self.folder / "code-server.log").open("wb") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        try:
            address = f"http://127.0.0.1:{port}/"
            until(lambda: _answers(address), "code-server's page")
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.goto(f"{address}?folder={self.project}")
            page.locator(".monaco-workbench").wait_for(timeout=1000 * PATIENCE_S)
            yield Editor(page, self)
            context.close()
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(20)


@dataclass
class Editor:
    """What a person at the workbench does and sees."""

    page: Page
    workbench: Workbench

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file of the project, written before with ``text``."""
        path = self.workbench.project / name
        if text is not None:
            path.write_text(text)
        self.page.keyboard.press("Control+P")
        box = self.page.locator(".quick-input-widget input").first
        box.wait_for()
        box.fill(str(path))
        self.page.locator(".quick-input-list .monaco-list-row", has_text=path.name).first.wait_for()
        self.page.keyboard.press("Enter")
        self.page.locator(f'.tab.active[data-resource-name="{path.name}"]').wait_for()
        self.page.locator(".editor-instance .view-lines").first.click()

    def at_end(self) -> None:
        self.page.keyboard.press("Control+End")

    def type(self, text: str) -> None:
        """Type at a person's pace; a newline is Enter, after which the editor indents."""
        self.page.keyboard.type(text, delay=30)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def ghost(self) -> str:
        """Wait for ghost text and return it as displayed."""
        return until(self.visible_ghost, "ghost text")

    def visible_ghost(self) -> str | None:
        """Return the ghost text on display; None without any."""
        pieces = self.page.locator(".editor-instance .ghost-text, .editor-instance .ghost-text-decoration")
        with contextlib.suppress(BrowserError):
            texts = [piece.replace("\xa0", " ").replace("\u200b", "") for piece in pieces.all_inner_texts()]
            return "".join(texts) or None
        return None

    def no_ghost(self) -> None:
        until(lambda: self.visible_ghost() is None, "the ghost text's end")

    def save(self, name: str) -> str:
        """Save the active file and return what is then on the disk."""
        path = self.workbench.project / name
        self.page.keyboard.press("Control+S")
        until(lambda: self.page.locator(".tab.active.dirty").count() == 0, "the saved file")
        return path.read_text()

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input").first
        box.wait_for()
        box.fill(f">{title}")
        self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first.wait_for()
        self.page.keyboard.press("Enter")

    @property
    def status(self) -> str:
        """The status bar item's description, empty before it is there."""
        item = self.page.locator(".statusbar-item[id*='nightschool']").first
        with contextlib.suppress(BrowserError):
            return item.get_attribute("aria-label", timeout=1000) or ""
        return ""

    def wait_for_status(self, part: str, patience_s: float = PATIENCE_S) -> None:
        try:
            until(lambda: part in self.status, f"the status {part!r}", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: it is {self.status!r}") from None

    def menu(self, choice: str) -> None:
        """Click the status bar item and choose from its menu."""
        self.page.locator(".statusbar-item[id*='nightschool']").first.click()
        self.page.locator(".quick-input-list .monaco-list-row", has_text=choice).first.click()
        self.page.locator(".quick-input-widget").first.wait_for(state="hidden")

    def notification(self, part: str, patience_s: float = PATIENCE_S) -> str:
        """Wait for a notification that contains ``part`` and return its text."""
        found = self.page.locator(".notification-list-item-message", has_text=part).first
        found.wait_for(timeout=1000 * patience_s)
        return found.inner_text()

    def notifications(self) -> list[str]:
        return self.page.locator(".notification-list-item-message").all_inner_texts()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}healthz", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
