"""Which open files may be seen: the privacy filter, asked off the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from learner.privacy import PrivacyFilter
    from lsp_server.documents import Document

logger = logging.getLogger(__name__)


class Visibility:
    """Looks a document's file up when it is opened, saved, or the rules change."""

    def __init__(self) -> None:
        self._allowed: dict[str, asyncio.Future[bool]] = {}

    def look_up(self, document: Document, privacy: PrivacyFilter) -> None:
        """Begin to find out whether the document's file may be seen."""
        if document.path is not None:
            self._allowed[document.uri] = asyncio.ensure_future(_allows(privacy, document.path))

    def forget(self, document: Document) -> None:
        self._allowed.pop(document.uri, None)

    def of(self, document: Document) -> bool | Awaitable[bool]:
        """Return whether it may be seen, or what to wait for; what is no file may be."""
        allowed = self._allowed.get(document.uri)
        if allowed is None:
            return True
        return allowed.result() if allowed.done() else allowed


async def _allows(privacy: PrivacyFilter, path: Path) -> bool:
    try:
        return await asyncio.to_thread(privacy.allows, path)
    except OSError as error:
        logger.warning("a file is left alone, since its folder's ignore files cannot be read: %s", error)
        return False
