"""The language server: which LSP message leads to what, and the process around it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learner.ledger import Ledger
from lsp_server import __version__
from lsp_server.completion import Answer, Menu
from lsp_server.documents import Workspace
from lsp_server.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Connection, RpcError, serve
from lsp_server.positions import PositionEncoding, units_of
from lsp_server.reporter import Reporter
from lsp_server.session import Session, Surroundings
from lsp_server.settings import parse_settings
from models.home import Home, private_directory, private_opener
from models.supervisor import ChildEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import BinaryIO

    from lsp_server.completion import Offer
    from lsp_server.documents import Document
    from lsp_server.settings import Settings

Params = dict[str, Any]

NOT_INITIALIZED = -32002
INVOKED = 1
"""LSP's ``InlineCompletionTriggerKind.Invoked``."""
INCREMENTAL = 2
"""LSP's ``TextDocumentSyncKind.Incremental``."""
COMMANDS = ("nightschool.accepted", "nightschool.snooze", "nightschool.status")
CLOSE_S, GONE_S = 1.2, 1.9
"""A client that has gone waits for nothing: all is closed within two seconds, and what the rest leaves of
them belongs to the ledger, whose last facts come as the documents close."""

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
        client = (params.get("clientInfo") or {}).get("name", "")
        self._session = Session(self._outside, workspace, settings, client, self._reporter)
        self._session.start()
        return {
            "capabilities": _capabilities(workspace.encoding, settings),
            "serverInfo": {"name": "nightschool", "version": __version__},
        }

    def shutdown(self, params: Params) -> None:
        self.exit_code = 0

    async def close(self) -> None:
        """Free what the session holds; the connection is of no use afterwards."""
        self._connection.cancel_all()
        if self._session is not None:
            await self._session.close()

    # Documents

    def did_open(self, params: Params) -> None:
        item = params["textDocument"]
        document = self.session.workspace.open(
            item["uri"], item["text"], item.get("languageId", ""), item.get("version")
        )
        self.session.opened(document)

    def did_change(self, params: Params) -> None:
        if (document := self._document(params)) is not None:
            document.version = params["textDocument"].get("version")
            self.session.changed(document, params["contentChanges"])

    def did_save(self, params: Params) -> None:
        if (document := self._document(params)) is not None:
            self.session.saved(document)

    def did_close(self, params: Params) -> None:
        if (document := self._document(params)) is not None:
            self.session.closed(document)
            self.session.workspace.close(document.uri)

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
        self.session.configure(self._settings(params.get("settings")))

    def execute_command(self, params: Params) -> Any:
        command, arguments = params["command"], params.get("arguments") or []
        if command == "nightschool.status":
            return self.session.status()
        if command == "nightschool.snooze":
            return self.session.snooze(float(arguments[0]) if arguments else None)
        if command == "nightschool.accepted":
            return self.session.accepted(str(arguments[0]))
        raise RpcError(INVALID_PARAMS, f"command {command!r} is unknown; known are {', '.join(COMMANDS)}")

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
        "executeCommandProvider": {"commands": list(COMMANDS)},
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


def main(model: str | None, log_file: Path | None) -> None:
    """Serve the client on stdin and stdout until it leaves; does not return."""
    home = Home.find()
    private_directory(home.root)
    _log_to(log_file or home.log)
    code = asyncio.run(_serve(home, model, *_claim_stdio()))
    logging.shutdown()
    # A thread that hangs (the reader of stdin, a stat of a dead network drive) must not keep the process.
    os._exit(code)


async def _serve(home: Home, model: str | None, stdin: BinaryIO, stdout: int) -> int:
    loop = asyncio.get_running_loop()
    connection = Connection(lambda message: _write_all(stdout, message))
    reporter = Reporter(connection.notify)

    def on_trouble(message: str) -> None:
        loop.call_soon_threadsafe(reporter.warn, message, message)

    ledger = Ledger.open(home.ledger, on_trouble=on_trouble)
    outside = Surroundings(home, ChildEngine, ledger.record, model, use_privacy=ledger.use_privacy)
    server = Server(connection, outside, reporter)
    with suppress(NotImplementedError):  # Windows has no such signal to handle
        # An editor that loses patience terminates its servers: the record is still to be written.
        loop.add_signal_handler(signal.SIGTERM, server.ended.set)
    try:
        await serve(connection, stdin, server.ended)
    finally:
        leave_at = loop.time() + GONE_S
        with suppress(TimeoutError):
            await asyncio.wait_for(server.close(), CLOSE_S)
        await asyncio.to_thread(ledger.close, leave_at - loop.time())
    return server.exit_code


def _claim_stdio() -> tuple[BinaryIO, int]:
    """Return the client's two ends; whatever else prints or reads cannot get between them."""
    stdin, stdout = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return os.fdopen(stdin, "rb"), stdout


def _write_all(descriptor: int, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _log_to(path: Path) -> None:
    """Log to ``path``, readable by its owner alone, in at most three files of a megabyte."""
    private_directory(path.parent)
    handler = PrivateFileHandler(path, maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # else each change of a file is a line


class PrivateFileHandler(RotatingFileHandler):
    """Creates its files with mode 0600."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(FileIO(self.baseFilename, self.mode, opener=private_opener), self.encoding)
