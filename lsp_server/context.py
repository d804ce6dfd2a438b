"""Context: what a prompt shows besides the cursor's surroundings, and how it stays the same while one types.

:meth:`Context.prompt` is on the path of each keystroke: it looks at memory only. :meth:`Context.refresh`
looks for pieces of other files and pins them to the document until the cursor has gone elsewhere.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learner.place import indent_of
from learner.retrieval.index import Index
from learner.retrieval.pieces import Finder, Question, merged
from learner.window import NEAR, Budget, cursor_prompt
from lsp_server.ring import Ring
from lsp_server.window import Window
from models.prompt import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from learner.privacy import PrivacyFilter
    from learner.retrieval.pieces import Piece
    from lsp_server.documents import Change, Document, Point, Workspace
    from models.prompt import Prompt

FAR = 40
"""Lines from which a cursor is elsewhere, even within one block."""


@dataclass(frozen=True)
class _Pinned:
    """The pieces that a document's prompts show, and where the cursor was when they were chosen."""

    pieces: tuple[Piece, ...]
    chunks: tuple[Chunk, ...]
    line: int
    block: str


class Context:
    """The prompts of all open documents. All methods but :meth:`refresh`'s search run on the event loop."""

    def __init__(
        self,
        workspace: Workspace,
        privacy: PrivacyFilter,
        indexes: Path | None = None,
        budget: Budget | None = None,
        remembered: Callable[[Document, Point], Chunk | None] = lambda document, point: None,
    ) -> None:
        """Prepare; :meth:`use_folders` begins to index.

        Args:
            indexes: the directory of the workspace indexes; None keeps none.
            remembered: what was written in like places, for the prompt.
        """
        self._remembered = remembered
        self._workspace, self._privacy, self._directory = workspace, privacy, indexes
        self._budget = budget or Budget()
        self._windows: dict[str, Window] = {}
        self._near_windows: dict[str, Window] = {}
        self._pinned: dict[str, _Pinned] = {}
        self._ring = Ring()
        self._indexes: dict[Path, Index] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="context")

    def prompt(self, document: Document, point: Point) -> Prompt:
        """Return the prompt for a cursor at ``point``; secrets outside of its line are replaced."""
        pinned = self._pinned.get(document.uri)
        window = self._window(document)
        return self._prompt(document, point, window, pinned.chunks if pinned else ())

    def near(self, document: Document, point: Point) -> Prompt:
        """Return a much shorter prompt for the same cursor; see :attr:`models.engine.Request.near`."""
        window = self._near_windows.setdefault(document.uri, Window(NEAR))
        return self._prompt(document, point, window, ())

    def _prompt(self, document: Document, point: Point, window: Window, chunks: tuple[Chunk, ...]) -> Prompt:
        folder = self._workspace.folder_of(document)
        return cursor_prompt(
            document.lines,
            point.line,
            point.column,
            window.first_at(document, point),
            window.budget,
            self._privacy,
            path=_relative(document.path, folder),
            repository=folder.name if folder else "",
            chunks=chunks,
        )

    def note_visit(self, document: Document, point: Point) -> None:
        """The cursor is at ``point``."""
        self._ring.note(document, point.line)

    def note_edit(self, document: Document, change: Change) -> None:
        """``change`` has been applied to ``document``."""
        self._window(document).note_edit(change)
        if document.uri in self._near_windows:
            self._near_windows[document.uri].note_edit(change)
        self._ring.note_edit(document, change)

    def note_save(self, document: Document) -> None:
        """The document's file was written."""
        folder = self._workspace.folder_of(document)
        if folder in self._indexes and document.path is not None:
            self._indexes[folder].update(document.path)

    def note_close(self, document: Document) -> None:
        """The document is about to be closed."""
        self._ring.note_close(document)
        self._windows.pop(document.uri, None)
        self._near_windows.pop(document.uri, None)
        self._pinned.pop(document.uri, None)
        self.note_save(document)

    def use_folders(self, privacy: PrivacyFilter, near: Path | None = None) -> None:
        """Index the workspace's present folders under ``privacy``; let go of those that are gone.

        Call it after initialization, and when folders or ignore settings change. Returns at once.
        """
        changed = privacy is not self._privacy
        self._privacy = privacy
        for folder in [f for f in self._indexes if changed or f not in self._workspace.folders]:
            self._thread.submit(self._indexes.pop(folder).close)
        self._thread.submit(privacy.load)  # Else the first prompt would wait for it.
        if self._directory is None:
            return
        for folder in self._workspace.folders:
            if folder not in self._indexes:
                self._indexes[folder] = Index(folder, self._directory, privacy)
                self._thread.submit(self._indexes[folder].start, near or self._any_open_file())

    def use_budget(self, budget: Budget) -> None:
        """Show so much from now on."""
        if budget != self._budget:
            self._budget = budget
            self._windows.clear()
            self._pinned.clear()

    async def indexed(self) -> None:
        """Return once every file of the workspace has been seen (for tests and benchmarks)."""
        for index in list(self._indexes.values()):
            await asyncio.to_thread(index.usable.wait)

    async def refresh(self, document: Document, point: Point) -> bool:
        """Look for pieces of other files that belong to this place; return whether the pinned ones changed.

        Pieces change only when the cursor is in another block or far away, or when the choice is clearly
        another: each change makes the engine evaluate the whole prompt.
        """
        if not self._budget.chunks:
            return False
        question = self._question(document, point)
        remembered = self._remembered(document, point)
        finder = Finder(dict(self._indexes), self._privacy, self._budget)
        found = await asyncio.get_running_loop().run_in_executor(self._thread, finder.find, question)
        return self._pin(document, question, found, remembered)

    def defines(self, project: str, names: Collection[str]) -> Collection[str] | None:
        """Return which of the names the project (a folder) defines; None while that is not known.

        Waits for the index: call it from a thread that may wait.
        """
        index = self._indexes.get(Path(project)) if project else None
        if index is None or not index.usable.is_set():
            return None
        try:
            asked = self._thread.submit(lambda: {name for name in names if index.symbols(name, 1)})
            return asked.result(timeout=2)
        except (RuntimeError, TimeoutError):  # The session ends, or searches for something else.
            return None

    def close(self) -> None:
        """Stop the indexes; nothing may be called afterwards."""
        for index in self._indexes.values():
            self._thread.submit(index.close)
        self._indexes.clear()
        self._thread.shutdown(wait=True, cancel_futures=False)

    def _window(self, document: Document) -> Window:
        return self._windows.setdefault(document.uri, Window(self._budget))

    def _any_open_file(self) -> Path | None:
        return next((document.path for document in self._workspace if document.path), None)

    def _question(self, document: Document, point: Point) -> Question:
        return Question(
            path=document.path,
            root=self._workspace.folder_of(document),
            language=document.language_id,
            line=point.line,
            block=enclosing_block(document, point.line),
            lines=tuple(document.lines),
            ring=tuple(self._ring.pieces(without=document.uri)),
            open={other.path: tuple(other.lines) for other in self._workspace if other.path is not None},
        )

    def _pin(
        self, document: Document, question: Question, found: tuple[Piece, ...], remembered: Chunk | None
    ) -> bool:
        pinned = self._pinned.get(document.uri)
        pieces = found
        if pinned is not None:
            pieces = merged(pinned.pieces, found)
            moved = question.block != pinned.block or abs(question.line - pinned.line) > FAR
            kept = sum(piece in pinned.pieces for piece in pieces)
            if not moved and 2 * kept >= len(pieces) >= len(pinned.pieces):
                return False
        chunks = tuple(Chunk(_relative(piece.path, self._root_of(piece)), piece.text) for piece in pieces)
        if remembered is not None:
            chunks = (*chunks, remembered)
        self._pinned[document.uri] = _Pinned(pieces, chunks, question.line, question.block)
        return chunks != (pinned.chunks if pinned else ())

    def _root_of(self, piece: Piece) -> Path | None:
        holding = [folder for folder in self._workspace.folders if piece.path.is_relative_to(folder)]
        return max(holding, key=lambda folder: len(folder.parts), default=None)


def enclosing_block(document: Document, line: int) -> str:
    """Return the line that opens the outermost indented block around ``line``; empty at the top level."""
    for row in range(min(line, len(document.lines) - 1), max(-1, line - 400), -1):
        text = document.lines[row].rstrip()
        if text and not indent_of(text[:200]) and text[0] not in ")]}#/":
            return text if row < line else ""
    return ""


def _relative(path: Path | None, folder: Path | None) -> str:
    if path is None:
        return ""
    return path.relative_to(folder).as_posix() if folder else path.name
