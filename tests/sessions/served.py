"""A wire to the whole server, through its JSON-RPC connection and with a real ledger, in scripted time."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from learner.ledger import Ledger
from lsp_server.jsonrpc import Connection
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.engine import Purpose
from models.home import Home
from tests.lsp_server.fake_engine import FakeEngine
from tests.sessions.editor import Ghost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.engine import Request
    from tests.sessions.editor import Clock, Replacement

Params = dict[str, Any]
ROUNDS = 25
"""Turns of the loop after which nothing is left to do at one moment."""


class ScriptedLoop(asyncio.SelectorEventLoop):
    """An event loop by the script's clock, so that the server's own ticks come when they are due."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._script = clock
        self.set_default_executor(AtOnce())

    def time(self) -> float:
        return self._script.now


class AtOnce(ThreadPoolExecutor):
    """Runs at once what would run in a thread, so that a session goes the same way each time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class ServedSession:
    """A server with a ledger in ``home``, to which messages are sent at the script's moments."""

    def __init__(self, clock: Clock, home: Path, says: Callable[[Request], list[str]]) -> None:
        self.ledger_path = Home(home).ledger
        self.answers: dict[int | None, Any] = {}
        """Results by the ids of their requests."""
        self._clock = clock
        self._loop = ScriptedLoop(clock)
        self._troubles: list[str] = []
        self._ledger = Ledger.open(self.ledger_path, on_trouble=self._troubles.append, clock=clock.wall)
        self._connection = Connection(self._take)
        model = home / "fake.gguf"
        model.touch()
        engine = FakeEngine(says)
        outside = Surroundings(Home(home), engine.make, self._ledger.record, str(model), clock, clock.wall)
        self._server = Server(self._connection, outside, Reporter(self._connection.notify))

    def send(self, message: Params) -> None:
        self._loop.call_soon(self._connection.receive, json.dumps(message).encode())
        self.run()

    def run(self) -> None:
        """Let the server do what is due at this moment."""
        self._loop.run_until_complete(_turns())

    def wait_until(self, moment: float) -> None:
        while self._clock.now < moment:
            self._clock.now = min(float(int(self._clock.now) + 1), moment)
            self.run()

    def text(self, uri: str) -> str:
        """Return the document as the server has it."""
        document = self._server.session.workspace.get(uri)
        assert document is not None
        return document.source

    def close(self) -> None:
        self._loop.run_until_complete(self._server.close())
        self.run()
        self._loop.close()
        self._ledger.close()
        assert not self._troubles

    def _take(self, data: bytes) -> None:
        message = json.loads(data.partition(b"\r\n\r\n")[2])
        if "method" not in message:
            assert "error" not in message, message
            self.answers[message["id"]] = message["result"]


class ServedWire:
    """An editor's one document in a :class:`ServedSession`."""

    def __init__(self, uri: str, text: str, clock: Clock, home: Path, *, crlf: bool = False) -> None:
        self._uri = uri
        self._ending = "\r\n" if crlf else "\n"
        self._answer: str | None = None
        self._asked: tuple[str, int] | None = None
        self._offered = ""
        self._last_id = 0
        self._session = ServedSession(clock, home, self._says)
        self._ask("initialize", {"capabilities": {}, "initializationOptions": {"debounce": 0}})
        self._tell("initialized", {})
        item = {"uri": uri, "languageId": "python", "version": 1, "text": self._wired(text)}
        self._tell("textDocument/didOpen", {"textDocument": item})

    @property
    def text(self) -> str:
        return self._session.text(self._uri)

    @property
    def ledger_path(self) -> Path:
        return self._session.ledger_path

    def change(self, before: str, changes: Sequence[Replacement]) -> None:
        events = []
        for change in changes:
            span = {"start": position(before, change.start), "end": position(before, change.end)}
            events.append({"range": span, "text": self._wired(change.text)})
            before = before[: change.start] + change.text + before[change.end :]
        identity = {"uri": self._uri, "version": self._last_id}
        self._tell("textDocument/didChange", {"textDocument": identity, "contentChanges": events})

    def request(self, text: str, cursor: int, answer: str | None, *, hidden: bool) -> Ghost | None:
        """Ask by hand where the place was asked before, since else the same answer is served again."""
        assert not hidden, "the server has no gate"
        self._answer = answer
        again = answer is not None and self._asked == (text, cursor)
        self._asked = text, cursor
        params = {"textDocument": {"uri": self._uri}, "position": position(text, cursor)}
        context = {"triggerKind": 1 if again else 2}
        items = self._ask("textDocument/inlineCompletion", {**params, "context": context})
        if not items:
            return None
        item = items[0]
        assert item["range"] == {"start": params["position"], "end": params["position"]}
        self._offered = item["command"]["arguments"][0]
        return Ghost(self._offered, item["insertText"], cursor, cursor)

    def last_id(self) -> str:
        return self._offered

    def command(self, offer_id: str) -> None:
        params = {"command": "nightschool.accepted", "arguments": [offer_id]}
        self._ask("workspace/executeCommand", params)

    def shown(self, offer_id: str) -> None:
        self._tell("textDocument/didShowCompletion", {"item": _item(offer_id)})

    def partially_accepted(self, offer_id: str, length: int) -> None:
        params = {"item": _item(offer_id), "acceptedLength": length}
        self._tell("textDocument/didPartiallyAcceptCompletion", params)

    def rejected(self, offer_id: str) -> None:
        self._tell("nightschool/didReject", {"offerIds": [offer_id]})

    def tick(self) -> None:
        self._session.run()

    def close(self) -> None:
        self._ask("shutdown", {})
        self._session.close()

    def _says(self, request: Request) -> list[str]:
        asked = request.purpose is Purpose.COMPLETE and self._answer is not None
        return [self._answer or ""] if asked else []

    def _wired(self, text: str) -> str:
        return text.replace("\n", self._ending)

    def _ask(self, method: str, params: Params) -> Any:
        self._last_id += 1
        self._session.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._session.answers.pop(self._last_id)

    def _tell(self, method: str, params: Params) -> None:
        self._session.send({"jsonrpc": "2.0", "method": method, "params": params})


async def _turns() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


def position(text: str, index: int) -> dict[str, int]:
    """Return an index as LSP gives it, in UTF-16 units."""
    line = text.rfind("\n", 0, index) + 1
    return {"line": text.count("\n", 0, index), "character": len(text[line:index].encode("utf-16-le")) // 2}


def _item(offer_id: str) -> Params:
    return {"insertText": "", "command": {"command": "nightschool.accepted", "arguments": [offer_id]}}
