"""Typing through the server, one key after the other, and the same text as a prompt for a peer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learner.privacy import PrivacyFilter
from learner.window import Budget
from lsp_server.context import Context
from lsp_server.documents import Point, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from cursors import Key, Typing
    from pipe import Pipe

    from models.prompt import Prompt

OURS = Budget(chunks=0)
LLAMA_VIM = Budget(prefix_lines=512, prefix_chars=10**6, suffix_lines=64, suffix_chars=10**6, chunks=0)
"""llama.vim's 256 lines before and 64 after: our window begins at half its budget and grows as one types."""
WARM_S = 180
"""A prompt of llama.vim's size takes a minute at 40 tokens a second."""
BUDGETS = {"ours": OURS, "llama.vim": LLAMA_VIM}


@dataclass(frozen=True)
class Reply:
    """What the server offered at a key; milliseconds from the edit's sending to the answer's arrival."""

    text: str
    first_ms: float
    """Until the engine had the first token, as its own clock and the pipe's time tell."""
    total_ms: float
    served: str
    prompt_tokens: int
    evaluated_tokens: int
    carried_tokens: int
    generated_tokens: int


class Editor:
    """A file open in the server, and a copy of it from which a peer's prompt is made.

    Only the server's edits and requests are sent; nothing is accepted.
    """

    def __init__(self, pipe: Pipe, typing: Typing, folder: Path, budget: Budget) -> None:
        path = folder / typing.file.replace("/", "_")
        path.write_text(typing.source)
        self._pipe = pipe
        self._uri = path.as_uri()
        workspace = Workspace()
        self._document = workspace.open(self._uri, typing.source, "python", 1)
        self._context = Context(workspace, PrivacyFilter([]), None, budget)
        self._point = Point(typing.line, typing.column)
        self._version = 1
        item = {"uri": self._uri, "languageId": "python", "version": 1, "text": typing.source}
        pipe.notify("textDocument/didOpen", {"textDocument": item})

    def prompt(self) -> Prompt:
        """Return what the server's engine is shown, as the same code makes it."""
        return self._context.prompt(self._document, self._point)

    def press(self, key: Key) -> None:
        """Take a key into the copy; :meth:`reply` sends it to the server."""
        change = self._document.replace(self._point, self._point, key.text)
        self._context.note_edit(self._document, change)
        self._point = Point(key.line, key.column)

    def reply(self, key: Key | None) -> Reply:
        """Send ``key`` (None asks where the cursor stands) and ask for ghost text, as an editor does."""
        edit = self._edit(key) if key else None
        began = time.perf_counter()
        if edit:
            self._pipe.notify("textDocument/didChange", edit)
        result = self._pipe.request("textDocument/inlineCompletion", self._where())
        total_ms = 1000 * (time.perf_counter() - began)
        last = self._pipe.command("nightschool.status")["last_completion"]
        rest_ms = last["total_ms"] - last["first_token_ms"]
        return Reply(
            self._offered(result),
            total_ms - rest_ms if last["served"] == "model" else total_ms,
            total_ms,
            last["served"] or "declined",
            last["prompt_tokens"],
            last["evaluated_tokens"],
            last["carried_tokens"],
            last["generated_tokens"],
        )

    def warm_up(self) -> None:
        """Ask once where the cursor stands, then wait until the server has evaluated the full prompt."""
        self.reply(None)
        give_up = time.monotonic() + WARM_S
        while not self._pipe.command("nightschool.status")["warm"]:
            if time.monotonic() > give_up:
                raise TimeoutError(f"the server did not warm a prompt within {WARM_S} s")
            time.sleep(0.2)

    def close(self) -> None:
        self._pipe.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        self._context.close()

    def _edit(self, key: Key) -> dict[str, Any]:
        """Return the change that brings the server's text to the copy's; ``key`` has been pressed."""
        self._version += 1
        lines = key.text.count("\n")
        line = self._point.line - lines
        column = len(self._document.lines[line].rstrip("\n")) if lines else self._point.column - len(key.text)
        place = {"line": line, "character": column}
        return {
            "textDocument": {"uri": self._uri, "version": self._version},
            "contentChanges": [{"range": {"start": place, "end": place}, "text": key.text}],
        }

    def _where(self) -> dict[str, Any]:
        return {
            "textDocument": {"uri": self._uri},
            "position": {"line": self._point.line, "character": self._point.column},
            "context": {"triggerKind": 2},
        }

    def _offered(self, result: Any) -> str:
        """Return what the first item inserts right of the cursor."""
        items = result["items"] if isinstance(result, dict) else result or []
        if not items:
            return ""
        known = self._point.column - items[0]["range"]["start"]["character"]
        return items[0]["insertText"][known:]
