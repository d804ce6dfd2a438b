"""The language server: which LSP message leads to what."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from learner.declined import Declined
from lsp_server import __version__
from lsp_server.commands import COMMANDS, Commands
from lsp_server.completion import Answer, Menu
from lsp_server.documents import Workspace
from lsp_server.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Connection, RpcError, is_left_out
from lsp_server.micro_night import MicroNights
from lsp_server.night import Night
from lsp_server.positions import PositionEncoding, units_of
from lsp_server.session import Session, Surroundings
from lsp_server.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lsp_server.completion import Offer
    from lsp_server.documents import Document
    from lsp_server.reporter import Reporter
    from lsp_server.settings import Settings

Params = dict[str, Any]

logger = logging.getLogger(__name__)

NOT_INITIALIZED = -32002
INVOKED = 1
"""LSP's ``InlineCompletionTriggerKind.Invoked``."""
INCREMENTAL = 2
"""LSP's ``TextDocumentSyncKind.Incremental``."""

if TYPE_CHECKING:
    Form = Callable[[Offer, PositionEncoding], Params]


class Server:
    """Speaks LSP to one client over ``connection``."""

    def __init__(self, connection: Connection, outside: Surroundings, reporter: Reporter) -> None:
        self.ended = asyncio.Event()
        """Set when the client says ``exit``."""
        self.exit_code = 1
        self._connection = connection
        self._outside = outside
        self._session: Session | None = None
        self._reporter = reporter
        self._has_configuration = False
        """Whether the client can be asked for its settings."""
        self._shows_progress = False
        """Whether the client can be asked to show work-done progress."""
        self._night = Night(outside.home, connection, reporter)
        self._micro_nights = MicroNights(outside.home, self._night)
        self._commands = Commands(outside.home, self._night)
        self._asking: asyncio.Task[None] | None = None
        self._left_out: set[str] = set()
        """The open documents whose text was too long to be taken."""
        for method, handler in {
            "initialize": self.initialize,
            "initialized": lambda _: None,
            "shutdown": self.shutdown,
            "exit": lambda _: self.ended.set(),
            "textDocument/didOpen": self.did_open,
            "textDocument/didChange": self.did_change,
            "textDocument/didSave": self.did_save,
            "textDocument/didClose": self.did_close,
            "textDocument/inlineCompletion": self.inline_completion,
            "textDocument/completion": self.completion,
            "textDocument/didShowCompletion": self.did_show,
            "textDocument/didPartiallyAcceptCompletion": self.did_partially_accept,
            "nightschool/didReject": self.did_reject,
            "workspace/didChangeConfiguration": self.did_change_configuration,
            "workspace/didChangeWorkspaceFolders": self.did_change_folders,
            "workspace/executeCommand": self.execute_command,
            "window/workDoneProgress/cancel": lambda params: self._night.cancel(params["token"]),
        }.items():
            connection.on(method, handler)

    @property
    def session(self) -> Session:
        if self._session is None:
            raise RpcError(NOT_INITIALIZED, "initialize has not been called")
        return self._session

    # The life of the server

    def initialize(self, params: Params) -> Params:
        if self._session is not None:
            raise RpcError(INVALID_REQUEST, "initialize was called before")
        settings = self._settings(params.get("initializationOptions"))
        workspace = Workspace(_encoding(params))
        for uri in _folders(params):
            workspace.add_folder(uri)
        capabilities = params.get("capabilities") or {}
        self._has_configuration = (capabilities.get("workspace") or {}).get("configuration") is True
        self._shows_progress = (capabilities.get("window") or {}).get("workDoneProgress") is True
        client = (params.get("clientInfo") or {}).get("name", "")
        self._session = Session(self._outside, workspace, settings, client, self._reporter)
        self._session.start()
        self._micro_nights.start(
            lambda: self.session.base,
            lambda: self.session.settings.enabled and self.session.settings.micro_nights,
        )
        return {
            "capabilities": _capabilities(workspace.encoding, settings),
            "serverInfo": {"name": "nightschool", "version": __version__},
        }

    def shutdown(self, params: Params) -> None:
        self.exit_code = 0

    async def close(self) -> None:
        """Free what the session holds; the connection is of no use afterwards."""
        self._night.leave()
        self._micro_nights.close()
        self._connection.cancel_all()
        if self._session is not None:
            await self._session.close()

    # Documents

    def did_open(self, params: Params) -> None:
        item = params["textDocument"]
        if is_left_out(item["text"]):
            self._leave_out(item["uri"])
            return
        self._left_out.discard(unquote(item["uri"]))
        document = self.session.workspace.open(
            item["uri"], item["text"], item.get("languageId", ""), item.get("version")
        )
        self.session.opened(document)

    def did_change(self, params: Params) -> None:
        document, changes = self._document(params), params["contentChanges"]
        if document is None:
            return
        if any(isinstance(change, dict) and is_left_out(change.get("text")) for change in changes):
            self._leave_out(document.uri)
            return
        document.version = params["textDocument"].get("version")
        self.session.changed(document, changes)

    def did_save(self, params: Params) -> None:
        if (document := self._document(params)) is not None:
            self.session.saved(document)

    def did_close(self, params: Params) -> None:
        self._left_out.discard(unquote(params["textDocument"]["uri"]))
        if (document := self._document(params)) is not None:
            self._close(document)

    def _close(self, document: Document) -> None:
        self.session.closed(document)
        self.session.workspace.close(document.uri)

    def _leave_out(self, uri: str) -> None:
        """Keep the document no longer, until it is opened with a text of a usual size."""
        if (document := self.session.workspace.get(uri)) is not None:
            self._close(document)
        self._left_out.add(unquote(uri))
        logger.info("a document is left out, since it is too large")

    def did_change_folders(self, params: Params) -> None:
        workspace = self.session.workspace
        for folder in params["event"].get("removed") or ():
            workspace.remove_folder(folder["uri"])
        for folder in params["event"].get("added") or ():
            workspace.add_folder(folder["uri"])
        self.session.use_folders()

    # Ghost text

    def inline_completion(self, params: Params) -> Any:
        context = params.get("context") or {}
        invoked, selected = context.get("triggerKind") == INVOKED, context.get("selectedCompletionInfo")
        return self._complete(params, invoked=invoked, selected=selected, form=_inline_item)

    def completion(self, params: Params) -> Any:
        """The same text for editors without ghost text; only where the settings ask for it."""
        if not self.session.settings.completion_items:
            return []
        return self._complete(params, invoked=False, selected=None, form=_menu_item)

    def _complete(self, params: Params, *, invoked: bool, selected: Params | None, form: Form) -> Any:
        document = self._document(params)
        if document is None:
            too_large = unquote(params["textDocument"]["uri"]) in self._left_out
            self.session.last = Answer(declined=Declined.TOO_LARGE if too_large else Declined.NOT_OPEN)
            return []
        point = document.point_at(params["position"])
        menu = _menu(document, selected) if selected else None
        answer = self.session.complete(document, point, invoked=invoked, menu=menu)
        if isinstance(answer, Answer):
            return [form(offer, document.encoding) for offer in answer.offers]
        return self._when_answered(answer, document, form)

    async def _when_answered(self, answer: Awaitable[Answer], document: Document, form: Form) -> list[Params]:
        return [form(offer, document.encoding) for offer in (await answer).offers]

    def did_show(self, params: Params) -> None:
        self.session.shown(_offer_id(params["item"]))

    def did_partially_accept(self, params: Params) -> None:
        self.session.partially_accepted(_offer_id(params["item"]), int(params["acceptedLength"]))

    def did_reject(self, params: Params) -> None:
        self.session.rejected([str(offer_id) for offer_id in params["offerIds"]])

    # Settings and commands

    def did_change_configuration(self, params: Params) -> None:
        """Take the settings; a client that only says that something has changed is asked for them."""
        given = params.get("settings")
        says_nothing = given is None or given in ({}, {"nightschool": None}, {"nightschool": {}})
        if self._has_configuration and says_nothing:
            self._asking = asyncio.create_task(self._ask_for_settings())
        else:
            self.session.configure(self._settings(given))

    async def _ask_for_settings(self) -> None:
        try:
            found = await self._connection.ask(
                "workspace/configuration", {"items": [{"section": "nightschool"}]}
            )
        except RpcError as error:
            logger.warning("the client keeps its settings to itself (error %s); they stay", error.code)
            return
        settings = found[0] if isinstance(found, list) and found else found
        # Null has no such section: what `initialize` brought stays, as Emacs' eglot expects.
        if settings is not None:
            self.session.configure(self._settings(settings))

    def execute_command(self, params: Params) -> Any:
        arguments = params.get("arguments")
        if not isinstance(arguments, list | None):
            raise RpcError(INVALID_PARAMS, f"arguments are a list, not {type(arguments).__name__}")
        return self._commands.execute(
            str(params["command"]),
            arguments or [],
            self.session,
            token=params.get("workDoneToken"),
            shows_progress=self._shows_progress,
        )

    def _settings(self, raw: object) -> Settings:
        settings, problems = parse_settings(raw)
        for problem in problems:
            self._reporter.warn(problem, problem)
        return settings

    def _document(self, params: Params) -> Document | None:
        return self.session.workspace.get(params["textDocument"]["uri"])


def _encoding(params: Params) -> PositionEncoding:
    """Return the first encoding of the client's that we know; UTF-16 where it names none."""
    general = (params.get("capabilities") or {}).get("general") or {}
    known = [each for each in general.get("positionEncodings") or () if each in list(PositionEncoding)]
    return PositionEncoding(known[0]) if known else PositionEncoding.UTF16


def _folders(params: Params) -> list[str]:
    if folders := params.get("workspaceFolders"):
        return [folder["uri"] for folder in folders]
    if root := params.get("rootUri"):
        return [root]
    return [Path(root).as_uri()] if (root := params.get("rootPath")) else []


def _capabilities(encoding: PositionEncoding, settings: Settings) -> Params:
    capabilities: Params = {
        "positionEncoding": encoding,
        "textDocumentSync": {"openClose": True, "change": INCREMENTAL, "save": True},
        "inlineCompletionProvider": {},
        "executeCommandProvider": {"commands": list(COMMANDS), "workDoneProgress": True},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if settings.completion_items:
        capabilities["completionProvider"] = {}
    return capabilities


def _menu(document: Document, selected: Params) -> Menu:
    span = selected["range"]
    return Menu(document.point_at(span["start"]), document.point_at(span["end"]), str(selected["text"]))


def _inline_item(offer: Offer, encoding: PositionEncoding) -> Params:
    return {"insertText": offer.text, "range": offer.range, "command": _accepted(offer)}


def _menu_item(offer: Offer, encoding: PositionEncoding) -> Params:
    """The offer as an item of a completion menu, which filters by the word that the cursor stands in."""
    start, text = offer.range["start"], offer.word + offer.text
    word_start = start["character"] - units_of(offer.word, len(offer.word), encoding)
    return {
        "label": text.strip().split("\n")[0],
        "kind": 1,
        "detail": "Nightschool",
        "documentation": text,
        "filterText": text,
        "textEdit": {"range": {**offer.range, "start": {**start, "character": word_start}}, "newText": text},
        "command": _accepted(offer),
    }


def _accepted(offer: Offer) -> Params:
    return {"title": "Accepted", "command": "nightschool.accepted", "arguments": [offer.offer_id]}


def _offer_id(item: Params) -> str:
    return str(item["command"]["arguments"][0])
