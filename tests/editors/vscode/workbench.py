"""A real VS Code workbench with the packaged extension: code-server, driven through a headless browser."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
from playwright.sync_api import Error as BrowserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("CODE_SERVER_PROGRAM", REPOSITORY / ".bench/code-server/bin/code-server"))
VSIX = REPOSITORY / "editor-clients/vscode/nightschool.vsix"
OTHER_PROVIDER = Path(__file__).parent / "other_provider"
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
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "files.readonlyInclude": {"**/read_only*": True},
    "nightschool.debounce": 0,
    # What is offered is to be what the scripted model says, and nights are those that a test asks for.
    "nightschool.gate": 0,
    "nightschool.memory": False,
    "nightschool.microNights": False,
}
PATIENCE_S = 60.0
OPEN_S = 5.0
UNCHANGED_S = 1.5
"""A file that is not written by then was saved before."""
NOTE_MESSAGES = """
window.messages = [];
const seen = new WeakMap();
new MutationObserver(() => {
  for (const element of document.querySelectorAll('.notification-list-item-message')) {
    const text = element.innerText;
    if (text && seen.get(element) !== text) {
      seen.set(element, text);
      window.messages.push(text);
    }
  }
}).observe(document, { childList: true, subtree: true });
"""
"""A message that nobody answers is put away after some seconds."""

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
class CodeServer:
    """The workbench's server, with the extension installed; its user owns nothing but ``folder``."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""

    @property
    def person(self) -> Path:
        """The user's own home directory."""
        return self.folder / "person"

    @property
    def programs(self) -> Path:
        """The only place of ``PATH`` that is not the system's."""
        return self.folder / "programs"

    @contextlib.contextmanager
    def running(self) -> Iterator[CodeServer]:
        for each in (self.person, self.programs):
            each.mkdir()
        environment = os.environ | {
            "HOME": str(self.person),
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "VSCODE_PROXY_URI": "",
            # As from a terminal: else a login shell is asked for its own PATH.
            "VSCODE_CLI": "1",
            **self.environment,
        }
        folders = ["--user-data-dir", str(self.folder / "user")]
        folders += ["--extensions-dir", str(self.folder / "extensions")]
        extensions = [VSIX, packed(OTHER_PROVIDER, self.folder / "other.vsix")]
        install = [word for path in extensions for word in ("--install-extension", str(path))]
        subprocess.run(
            [str(PROGRAM), *folders, *install], check=True, capture_output=True, env=environment, timeout=120
        )
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}/"
        command = [str(PROGRAM), *folders, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}"]
        command += ["--disable-telemetry", "--disable-update-check"]
        with (self.folder / "code-server.log").open("wb") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        try:
            until(self._answers, "code-server's page")
            yield self
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(20)

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Replace the settings; open windows follow.

        The machine's own as well: to the browser this server is a remote machine.
        """
        for scope in ("User", "Machine"):
            folder = self.folder / "user" / scope
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "settings.json").write_text(json.dumps(SETTINGS | settings))

    def user_settings(self) -> dict[str, Any]:
        """Return what the user has set in the workbench."""
        with contextlib.suppress(ValueError):  # it is being written
            return json.loads((self.folder / "user/User/settings.json").read_text())
        return {}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}healthz", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


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
            page.add_init_script(NOTE_MESSAGES)
            page.goto(f"{self.server.address}?{query or f'folder={self.project}'}")
            page.locator(".monaco-workbench").wait_for()
            yield Editor(page, self)
        finally:
            context.close()


def packed(extension: Path, vsix: Path) -> Path:
    """Write the folder as an extension that can be installed."""
    with zipfile.ZipFile(vsix, "w") as archive:
        for file in extension.iterdir():
            archive.write(file, f"extension/{file.name}")
    return vsix


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
        is_open = self.page.locator(f'.tab.active[data-resource-name="{path.name}"]')
        for patience_s in (OPEN_S, OPEN_S, PATIENCE_S):
            with contextlib.suppress(BrowserError):
                self._pick(path)
                is_open.wait_for(timeout=1000 * patience_s)
                break
        assert is_open.count(), f"{path.name} was not opened"
        self.page.locator(".editor-instance .view-lines").first.click()

    def _pick(self, path: Path) -> None:
        """Choose a file in the quick open box by its row: while it searches, Enter may take another."""
        self.page.keyboard.press("Control+P")
        box = self.page.locator(".quick-input-widget input").first
        box.wait_for()
        box.fill(str(path))
        self.page.locator(f'.quick-input-list .monaco-list-row[aria-label^="{path.name}"]').first.click()

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

    def shows(self, ghost: str) -> None:
        """Wait until this is the ghost text."""
        try:
            until(lambda: self.visible_ghost() == ghost, f"the ghost text {ghost!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}: it is {self.visible_ghost()!r}") from None

    def no_ghost(self) -> None:
        until(lambda: self.visible_ghost() is None, "the ghost text's end")

    def text(self) -> str:
        """Return what of the active file is on display."""
        with contextlib.suppress(BrowserError):
            return self.page.locator(".editor-instance .view-lines").first.inner_text().replace("\xa0", " ")
        return ""

    def save(self, name: str) -> str:
        """Save the active file and return what is then on the disk."""
        path = self.workbench.project / name
        written, waited = path.stat().st_mtime_ns, time.monotonic() + UNCHANGED_S
        self.page.keyboard.press("Control+S")

        def is_saved() -> bool:
            # What was typed last may not have made the tab dirty yet.
            was_written = path.stat().st_mtime_ns != written or time.monotonic() > waited
            return was_written and self.page.locator(".tab.active.dirty").count() == 0

        until(is_saved, "the saved file")
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

    def wait_for_choice(self, choice: str) -> None:
        """Wait until the menu offers this: a changed setting has then reached extension and server."""
        rows = self.page.locator(".quick-input-list .monaco-list-row")

        def is_offered() -> bool:
            self.page.locator(".statusbar-item[id*='nightschool']").first.click()
            rows.first.wait_for()
            found = rows.filter(has_text=choice).count() > 0
            self.page.keyboard.press("Escape")
            self.page.locator(".quick-input-widget").first.wait_for(state="hidden")
            return found

        until(is_offered, f"{choice!r} in the menu")

    def messages(self) -> list[str]:
        """Return all messages that were shown in this window, with progress as it went."""
        return self.page.evaluate("window.messages")

    def is_told(self, part: str, patience_s: float = PATIENCE_S) -> str:
        """Wait for a message that contains ``part`` and return it."""
        found = until(
            lambda: [text for text in self.messages() if part in text], f"a message {part!r}", patience_s
        )
        return found[0]

    def forget_messages(self) -> None:
        self.page.evaluate("window.messages.length = 0")

    def press_button(self, message: str, button: str) -> None:
        """Press a button of the message that contains this."""
        shown = self.page.locator(".notification-list-item", has_text=message).first
        shown.locator(".monaco-button", has_text=button).first.click()

    def use(self, command: list[str] | str, status: str = "ready: ") -> None:
        """Set the server's command, and wait for the status."""
        self.workbench.change_settings(server__command=command)
        self.wait_for_status(status)

    def servers(self) -> list[psutil.Process]:
        """Return the language servers that run in the workbench's home."""
        home = str(self.workbench.home)
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            words = process.info["cmdline"] or ()
            is_server = "serve" in words or "tests.editors.vscode.school_server" in words
            if is_server and (process.info["environ"] or {}).get("NIGHTSCHOOL_HOME") == home:
                found.append(process)
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
