"""A client and a server in one event loop, with every byte going through the real framing and dispatch."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from lsp_server.jsonrpc import Connection
from lsp_server.reporter import Reporter
from lsp_server.server import Server
from lsp_server.session import Surroundings
from models.home import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fake_engine import FakeEngine

    from learner.facts import Fact
    from learner.privacy import PrivacyFilter

URI = "file:///project/app.py"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Client:
    """Sends messages as an editor does; ``received`` has all that came back."""

    def __init__(self, home: Path, engine: FakeEngine, *, model: str | None = None) -> None:
        self.engine = engine
        self.home = Home(home)
        self.clock = Clock()
        self.facts: list[Fact] = []
        self.received: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._connection = Connection(self._take)
        self.filters: list[PrivacyFilter] = []
        outside = Surroundings(
            home=self.home,
            make_engine=engine.make,
            record=self.facts.append,
            model=model or str(model_in(home)),
            clock=self.clock,
            now=self.clock,
            use_privacy=self.filters.append,
        )
        self.server = Server(self._connection, outside, Reporter(self._connection.notify))

    async def initialize(self, *, encoding: str = "utf-16", **settings: Any) -> dict[str, Any]:
        params = {
            "capabilities": {"general": {"positionEncodings": [encoding]}},
            "initializationOptions": {"debounce": 0, **settings},
        }
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        return result

    async def request(self, method: str, params: object) -> Any:
        """Return the result.

        Raises:
            AssertionError: the answer is an error.
        """
        answer = await self.answer(self.ask(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def ask(self, method: str, params: object) -> int:
        self._last_id += 1
        self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    async def answer(self, identity: int) -> dict[str, Any]:
        return await asyncio.wait_for(self._answers[identity], 20)

    def notify(self, method: str, params: object) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: object) -> None:
        self._connection.receive(json.dumps(message).encode())

    def open(self, text: str, uri: str = URI, language: str = "python") -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, line: int, character: int, text: str, uri: str = URI) -> None:
        """Insert ``text`` at a position."""
        self.edit((line, character), (line, character), text, uri)

    def edit(self, start: tuple[int, int], end: tuple[int, int], text: str, uri: str = URI) -> None:
        span = {"start": position(*start), "end": position(*end)}
        change = {"range": span, "text": text}
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]},
        )

    def ask_ghost(
        self, line: int, character: int, *, invoked: bool = False, menu: object = None, uri: str = URI
    ) -> int:
        context: dict[str, Any] = {"triggerKind": 1 if invoked else 2}
        if menu:
            context["selectedCompletionInfo"] = menu
        params = {"textDocument": {"uri": uri}, "position": position(line, character), "context": context}
        return self.ask("textDocument/inlineCompletion", params)

    async def ghost(self, line: int, character: int, **options: Any) -> list[dict[str, Any]]:
        """Return the items of an inline completion."""
        answer = await self.answer(self.ask_ghost(line, character, **options))
        assert "error" not in answer, answer
        return answer["result"]

    async def texts(self, line: int, character: int, **options: Any) -> list[str]:
        return [item["insertText"] for item in await self.ghost(line, character, **options)]

    async def status(self) -> dict[str, Any]:
        return await self.command("nightschool.status")

    async def declined(self) -> str | None:
        return (await self.status())["last_completion"]["declined"]

    async def command(self, name: str, *arguments: object) -> Any:
        return await self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    def notified(self, method: str) -> list[Any]:
        return [message["params"] for message in self.received if message.get("method") == method]

    async def until_status(self, state: str) -> None:
        """Wait until the server is said to be in ``state``."""
        await self._until(lambda: self.notified("nightschool/status")[-1]["state"] == state)

    async def until_notified(self, method: str, times: int = 1) -> None:
        await self._until(lambda: len(self.notified(method)) >= times)

    async def until_asked(self, method: str) -> dict[str, Any]:
        """Wait for a request of the server's; return the whole message."""

        def asked() -> list[dict[str, Any]]:
            return [each for each in self.received if each.get("method") == method and "id" in each]

        await self._until(lambda: bool(asked()))
        return asked()[-1]

    async def _until(self, has_come: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not has_come():
                self._arrived.clear()
                await self._arrived.wait()

    def text(self, uri: str = URI) -> str:
        document = self.server.session.workspace.get(uri)
        assert document is not None
        return document.source

    def _take(self, data: bytes) -> None:
        header, _, body = data.partition(b"\r\n\r\n")
        assert header == b"Content-Length: %d" % len(body)
        message = json.loads(body)
        self.received.append(message)
        self._arrived.set()
        if "method" not in message and message["id"] in self._answers:
            self._answers[message["id"]].set_result(message)


def position(line: int, character: int) -> dict[str, int]:
    return {"line": line, "character": character}


def model_in(home: Path) -> Path:
    """Put a file where a model is expected; the fake engine does not read it."""
    home.mkdir(exist_ok=True)
    model = home / "fake.gguf"
    model.touch()
    return model
