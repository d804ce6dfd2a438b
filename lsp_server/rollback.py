"""``nightschool.rollback``: the adapter before serves again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from learner.current import OFF
from learner.registry import AdapterError, Registry
from lsp_server.jsonrpc import REQUEST_FAILED, RpcError

if TYPE_CHECKING:
    from lsp_server.reporter import Reporter
    from models.home import Home


async def roll_back(home: Home, base: str, reporter: Reporter) -> dict[str, Any]:
    """Let the registry name what served the base before; tell the user, and return what the command answers.

    Args:
        base: the SHA-256 of the model in use; empty where none is.

    Raises:
        RpcError: nothing served before, or no model is in use.
    """
    registry = Registry(home)
    if not base:
        raise RpcError(REQUEST_FAILED, "no model is in use")
    replaced = registry.choice(base).adapter
    try:
        adapter = await asyncio.to_thread(registry.rollback, base)
    except (AdapterError, OSError) as error:
        raise RpcError(REQUEST_FAILED, str(error)) from None
    found = {
        "adapter": adapter.id if adapter else None,
        "replaced": None if replaced == OFF else replaced,
    }
    serving, instead = (f"the adapter {each}" if each else "the bare base model" for each in found.values())
    reporter.inform(f"{serving} serves again, instead of {instead}")
    return found
