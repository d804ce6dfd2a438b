"""The demo's scenes, and the editor that plays them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.demo_client import Client, Json

PROJECT = Path(__file__).parent / "demo_project"
KEY_SECONDS = 0.15
"""Between two keystrokes, as a quick typist has it."""
INVOKED, AUTOMATIC = 1, 2


class Press(StrEnum):
    """What the developer does with the ghost text."""

    TAB = "Tab"
    TYPE_ON = "four of its characters, then Tab"
    TAB_AND_EDIT = "Tab, then Backspace over its end"
    ESCAPE = "Esc"


@dataclass(frozen=True)
class Scene:
    title: str
    file: str
    before: str
    """The text that ends at the cursor; once in the file."""
    removed: str
    """What stands after it in the project; taken out, so that something is missing."""
    press: Press
    typed: int = 4
    """How many characters of ``before`` are typed while we look."""


SCENES = (
    Scene(
        title="line start",
        file="loans.py",
        before="            return 0.0\n        ",
        removed="days_late = (today - self.due_on).days",
        press=Press.TAB,
        typed=9,
    ),
    Scene(
        title="mid-line",
        file="loans.py",
        before="late = [loan for loan in self.loans if ",
        removed="loan.is_overdue(today)",
        press=Press.TYPE_ON,
    ),
    Scene(
        title="mid-word",
        file="letters.py",
        before="letters.setdefault(loan.mem",
        removed="ber, []).append(reminder(loan, today))",
        press=Press.TAB,
    ),
    Scene(
        title="a block",
        file="loans.py",
        before="            if loan.book.isbn == isbn and loan.returned_on is None:\n                ",
        removed=(
            "fine = loan.fine(today)\n                loan.returned_on = today\n                return fine"
        ),
        press=Press.TAB,
        typed=17,
    ),
    Scene(
        title="accepted, then edited",
        file="loans.py",
        before='title} is lent out")\n        ',
        removed="loan = Loan(self.books[isbn], member, today)",
        press=Press.TAB_AND_EDIT,
        typed=9,
    ),
    Scene(
        title="rejected",
        file="letters.py",
        before="    overdue = library.overdue(today)\n    ",
        removed="owed = sum(loan.fine(today) for loan in overdue)",
        press=Press.ESCAPE,
        typed=5,
    ),
)


@dataclass
class Shown:
    """What happened in one scene."""

    title: str
    file: str
    text: str
    """The document when the ghost text came."""
    cursor: int
    """Characters of ``text`` before the cursor."""
    ghost: str
    latency_ms: float
    """From the last keystroke to the answer."""
    waited_ms: float
    """The part of it in which the server waited for a next keystroke."""
    silence: str | None
    """Why there is no ghost text."""
    pressed: str
    offer: str = ""
    typed_on_ms: list[float] = field(default_factory=list)
    """The latency after each character that was typed along the ghost text."""
    outcome: Json = field(default_factory=dict)
    """What the ledger says became of the offer."""


def play(scene: Scene, client: Client, project: Path, show: Callable[[Shown], None]) -> Shown:
    """Open the scene's file, type, look at the ghost text, press, and close the file."""
    whole = (PROJECT / scene.file).read_text(encoding="utf-8")
    cut = whole.index(scene.before + scene.removed) + len(scene.before)
    start, after = whole[: cut - scene.typed], whole[cut + len(scene.removed) :]
    # What is missing in the editor is missing on the disk too: nobody may find it there.
    (project / scene.file).write_text(start + after, encoding="utf-8")
    editor = Editor(client, (project / scene.file).as_uri(), start + after, len(start))
    time.sleep(1)  # the time in which a reader finds the place; the server warms up for it
    *earlier, last_key = keystrokes(scene.before[-scene.typed :])
    for key in earlier:
        editor.type(key)
        editor.ask()  # the next keystroke comes before the answer is wanted
        time.sleep(KEY_SECONDS)
    editor.type(last_key)
    item, latency_ms = editor.answer(editor.ask())
    last = client.request("workspace/executeCommand", {"command": "nightschool.status"})["last_completion"]
    shown = Shown(
        title=scene.title,
        file=scene.file,
        text=editor.text,
        cursor=editor.cursor,
        ghost=item["insertText"] if item else "",
        latency_ms=round(latency_ms, 1),
        waited_ms=round(last["debounce_ms"], 1),
        silence=last["declined"],
        pressed=scene.press,
    )
    if item:
        shown.offer = item["command"]["arguments"][0]
        client.notify("textDocument/didShowCompletion", {"item": item})
        time.sleep(1)  # the time to read it: what is gone sooner was not seen
        press(scene.press, editor, item, shown)
    else:
        shown.pressed = "nothing"
    show(shown)
    editor.close()
    return shown


def keystrokes(text: str) -> list[str]:
    """One keystroke each; Enter brings the indentation with it."""
    return re.findall(r"\n *|.", text)


def press(how: Press, editor: Editor, item: Json, shown: Shown) -> None:
    if how is Press.ESCAPE:
        editor.client.notify("nightschool/didReject", {"offerIds": [shown.offer]})
        return
    if how is Press.TYPE_ON:
        for key in item["insertText"][:4]:
            editor.type(key)
            rest, latency_ms = editor.answer(editor.ask())
            shown.typed_on_ms.append(round(latency_ms, 1))
            if rest is None:
                return
            item = rest
    editor.accept(item)
    if how is Press.TAB_AND_EDIT:
        for _ in range(6):
            editor.change(editor.cursor - 1, editor.cursor, "")


class Editor:
    """One open document and its cursor; offsets and columns count code points."""

    def __init__(self, client: Client, uri: str, text: str, cursor: int) -> None:
        self.client, self.uri, self.text, self.cursor, self.version = client, uri, text, cursor, 0
        item = {"uri": uri, "languageId": "python", "version": 0, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": item})

    def close(self) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def type(self, text: str) -> None:
        self.change(self.cursor, self.cursor, text)

    def change(self, start: int, end: int, text: str) -> None:
        """Replace the text from ``start`` to ``end`` and put the cursor after it."""
        self.version += 1
        span = {"start": self.position(start), "end": self.position(end)}
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)
        document = {"uri": self.uri, "version": self.version}
        changes = [{"range": span, "text": text}]
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def ask(self) -> tuple[int, float]:
        """Ask for ghost text at the cursor; return the request's number and when it was sent."""
        params = {
            "textDocument": {"uri": self.uri},
            "position": self.position(self.cursor),
            "context": {"triggerKind": AUTOMATIC},
        }
        sent_at = time.perf_counter()
        return self.client.ask("textDocument/inlineCompletion", params), sent_at

    def answer(self, asked: tuple[int, float]) -> tuple[Json | None, float]:
        """Return the ghost text's item, if there is one, and the milliseconds it took."""
        number, sent_at = asked
        items = self.client.answer(number)
        return items[0] if items else None, 1000 * (time.perf_counter() - sent_at)

    def accept(self, item: Json) -> None:
        self.change(
            self.offset(item["range"]["start"]), self.offset(item["range"]["end"]), item["insertText"]
        )
        self.client.request("workspace/executeCommand", item["command"])

    def position(self, offset: int) -> Json:
        line_start = self.text.rfind("\n", 0, offset) + 1
        return {"line": self.text.count("\n", 0, offset), "character": offset - line_start}

    def offset(self, position: Json) -> int:
        lines = self.text.splitlines(keepends=True)
        return sum(map(len, lines[: position["line"]])) + position["character"]
