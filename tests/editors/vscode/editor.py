"""What a person at the workbench does and sees, in a window of a headless browser."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
from playwright.sync_api import Error as BrowserError

from tests.editors.vscode.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.editors.vscode.workbench import Workbench

ITEM = ".statusbar-item[id*='nightschool']"
BOX_MS = 10_000
GHOST = ".editor-instance .ghost-text, .editor-instance .ghost-text-decoration"


@dataclass
class Editor:
    """One window."""

    page: Page
    workbench: Workbench

    # Files

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file of the project, written before with ``text``, unless that is open already."""
        path = self.workbench.project / name
        if text is not None:
            path.write_text(text)
        self._choose("Control+P", str(path), path.name)
        # The tab is there before the text: until then keys would reach the file that was open before.
        shown = f'.editor-instance .monaco-editor.focused[data-uri$="{quote(f"/{name}")}"]'
        self.page.locator(shown).wait_for()
        self._wake()
        self.page.locator(shown).wait_for()

    def _wake(self) -> None:
        """Have VS Code load its ghost text now.

        In a new window it does so when it is idle, or 5 seconds later; before, no provider is asked.
        """
        if not self.page.evaluate("window.isAwake"):
            self.command("Trigger Inline Suggestion")
            self.page.evaluate("window.isAwake = true")

    def at_end(self) -> None:
        self.press("Control+End")

    def type(self, text: str) -> None:
        """Type at a person's pace; a newline is Enter, after which the editor indents."""
        self.page.keyboard.type(text, delay=30)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def text(self) -> str:
        """Return what of the active file is on display."""
        with contextlib.suppress(BrowserError):
            return self.page.locator(".editor-instance .view-lines").first.inner_text().replace("\xa0", " ")
        return ""

    def save(self, name: str) -> str:
        """Save the active file, which was changed, and return what is then on the disk."""
        changed = self.page.locator(".tab.active.dirty")
        changed.wait_for()
        self.press("Control+S")
        changed.wait_for(state="detached")
        return (self.workbench.project / name).read_text()

    # Ghost text

    def ghost(self) -> str:
        """Wait for ghost text and return it as displayed."""
        return until(self.visible_ghost, "ghost text")

    def visible_ghost(self) -> str | None:
        """Return the ghost text on display; None without any."""
        with contextlib.suppress(BrowserError):
            pieces = self.page.locator(GHOST).all_inner_texts()
            return "".join(pieces).replace("\xa0", " ").replace("\u200b", "") or None
        return None

    def shows(self, ghost: str) -> None:
        """Wait until this is the ghost text."""
        try:
            until(lambda: self.visible_ghost() == ghost, f"the ghost text {ghost!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}: it is {self.visible_ghost()!r}") from None

    def no_ghost(self) -> None:
        until(lambda: self.visible_ghost() is None, "the ghost text's end")

    def completes(self, name: str, typed: str, ghost: str) -> dict[str, Any]:
        """Type in a new file, see this ghost text and take it with Tab; return the ledger's row."""
        self.open(name, "import os\n")
        self.at_end()
        self.type(typed)
        assert self.ghost() == ghost
        self.press("Tab")
        assert self.save(name).rstrip("\n").endswith(typed + ghost)
        return self.workbench.rows.labelled("accepted", name)

    # Commands and the status bar item

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self._choose("F1", f">{title}", title)

    def _choose(self, key: str, typed: str, label: str) -> None:
        """Type in the box that a key opens, and take the entry with this label once it is the chosen one.

        By Enter, which takes the chosen one wherever it stands: rows move as long as the search goes on.
        """
        box = self.page.locator(".quick-input-widget input").first
        entry = self.page.locator(f'.quick-input-list .monaco-list-row.focused[aria-label*="{label}"]')

        def is_chosen() -> bool:
            # What opens behind the box takes the focus, and VS Code then closes the box.
            if not box.is_visible():
                self.press(key)
            with contextlib.suppress(BrowserError):
                box.fill(typed, timeout=BOX_MS)
                entry.wait_for(timeout=BOX_MS)
                box.press("Enter", timeout=BOX_MS)
                return True
            return False

        until(is_chosen, f"{label!r} in the box")
        until(lambda: not box.is_visible() or box.input_value() != typed, "the end of the choice")

    def _box_has_gone(self) -> None:
        self.page.locator(".quick-input-widget").first.wait_for(state="hidden")

    @property
    def status(self) -> str:
        """The status bar item's description, empty before it is there."""
        with contextlib.suppress(BrowserError):
            return self.page.locator(ITEM).first.get_attribute("aria-label", timeout=1000) or ""
        return ""

    def statuses(self) -> list[str]:
        """Return all descriptions that the status bar item has had in this window."""
        return self.page.evaluate("window.statuses")

    def wait_for_status(self, part: str, patience_s: float = PATIENCE_S, after: int = 0) -> None:
        """Wait until the status says ``part``, and has changed ``after`` times."""
        try:
            until(lambda: part in self.status and len(self.statuses()) > after, f"{part!r}", patience_s)
        except AssertionError as error:
            raise AssertionError(f"the status {error}: it is {self.status!r}") from None

    def _menu(self) -> Locator:
        """Open the menu and return its rows."""
        self.page.locator(ITEM).first.click()
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        rows.first.wait_for()
        return rows

    def menu(self, choice: str) -> None:
        """Click the status bar item and choose from its menu."""
        self._menu()
        self.choose(choice)

    def choose(self, choice: str) -> None:
        """Choose from the list that opens."""
        self.page.locator(".quick-input-list .monaco-list-row", has_text=choice).first.click()
        self._box_has_gone()

    def wait_for_choice(self, choice: str) -> None:
        """Wait until the menu offers this: a changed setting has then reached extension and server."""

        def is_offered() -> bool:
            found = self._menu().filter(has_text=choice).count() > 0
            self.press("Escape")
            self._box_has_gone()
            return found

        until(is_offered, f"{choice!r} in the menu")

    # Messages

    def messages(self) -> list[str]:
        """Return all messages that were shown in this window, with progress as it went."""
        return self.page.evaluate("window.messages")

    def is_told(self, part: str, patience_s: float = PATIENCE_S) -> str:
        """Wait for a message that contains ``part`` and return it."""
        try:
            found = until(lambda: [text for text in self.messages() if part in text], f"{part!r}", patience_s)
        except AssertionError as error:
            raise AssertionError(f"a message {error}: there are {self.messages()}") from None
        return found[0]

    def forget_messages(self) -> None:
        self.page.evaluate("window.messages.length = 0")

    def press_button(self, message: str, button: str) -> None:
        """Press a button of the message that contains this, shown or put away in their list."""
        shown = self.page.locator(".notification-list-item", has_text=message)
        wanted = shown.locator(".monaco-button", has_text=button).filter(visible=True).first
        with contextlib.suppress(BrowserError):
            wanted.click(timeout=BOX_MS)
            return
        # VS Code puts a warning away after 12 seconds.
        self.command("Notifications: Show Notifications")
        wanted.click()

    # Servers

    def use(self, command: list[str] | str | None, status: str = "ready: ", **others: Any) -> None:
        """Set the server's command and other settings, and wait for the status."""
        is_new = self.workbench.settings.get("nightschool.server.command") != command
        after = len(self.statuses()) if is_new else 0
        self.workbench.change_settings(server__command=command, **others)
        self.wait_for_status(status, after=after)

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

    def server(self) -> psutil.Process:
        """Return the one server; one before it may take a moment to end."""
        return until(lambda: found[0] if len(found := self.servers()) == 1 else None, "a single server")
