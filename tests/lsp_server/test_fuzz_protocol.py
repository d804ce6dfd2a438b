"""Whatever a client sends, in whatever order: the server lives, and its text is the client's."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import Client

from lsp_server.positions import PositionEncoding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEQUENCES = 700
"""Per position encoding; three encodings make 2,100."""
TEXT = st.text(st.sampled_from("ab(): \t\r\n\0é€😀\ud83d\ude00א\u2028"), max_size=10)
NUMBER = st.one_of(st.integers(0, 6), st.sampled_from([-1, 99, 2**31, 2**40]))
POSITION = st.fixed_dictionaries({"line": NUMBER, "character": NUMBER})
RANGE = st.fixed_dictionaries({"start": POSITION, "end": POSITION})
CHANGE = st.one_of(
    st.fixed_dictionaries({"text": TEXT}), st.fixed_dictionaries({"range": RANGE, "text": TEXT})
)
CHANGES = st.lists(CHANGE, min_size=1, max_size=3)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), TEXT), lambda inner: st.lists(inner, max_size=2)
)
NAMES = st.sampled_from(["a.py", "b.js", "never-opened.py"])
STEP = st.one_of(
    st.tuples(st.just("edit"), NAMES, CHANGES),
    st.tuples(st.just("edit"), NAMES, CHANGES),
    st.tuples(st.just("ask"), NAMES, POSITION),
    st.tuples(st.just("ask"), NAMES, POSITION),
    st.tuples(st.just("menu"), NAMES, st.tuples(POSITION, RANGE, TEXT)),
    st.tuples(st.just("accept"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("reject"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("cancel"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("reopen"), NAMES, TEXT),
    st.tuples(st.just("junk"), NAMES, JUNK),
)
ENDING = re.compile("\r\n|\r|\n")


class ClientText:
    """What the client holds: one string, edited by counting its units one by one."""

    def __init__(self, text: str, encoding: PositionEncoding) -> None:
        self.encoding = encoding
        self.text = paired(text)

    def change(self, change: dict[str, Any]) -> None:
        if "range" not in change:
            self.text = paired(change["text"])
            return
        low, high = sorted(self.index(change["range"][end]) for end in ("start", "end"))
        self.text = paired(self.text[:low] + change["text"] + self.text[high:])

    def index(self, position: dict[str, int]) -> int:
        """As the protocol has it: beyond a line is its end, beyond the text the text's end."""
        starts = [0, *(match.end() for match in ENDING.finditer(self.text))]
        if position["line"] < 0:
            return 0
        if position["line"] >= len(starts):
            return len(self.text)
        index, units = starts[position["line"]], 0
        for character in ENDING.split(self.text)[position["line"]]:
            units += self.width(character)
            if units > position["character"]:
                break
            index += 1
        return index

    def width(self, character: str) -> int:
        if self.encoding is PositionEncoding.UTF32:
            return 1
        if self.encoding is PositionEncoding.UTF16:
            return 1 + (ord(character) > 0xFFFF)
        return len(character.encode("utf-8", "surrogatepass"))


def paired(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class Player:
    """Plays sequences against one server, which must not mind that they follow each other."""

    def __init__(self, client: Client, encoding: PositionEncoding) -> None:
        self.client = client
        self.encoding = encoding
        self.texts: dict[str, ClientText] = {}
        self.asked: list[int] = []
        self.offers: list[str] = []

    async def play(self, steps: list[tuple[str, str, Any]]) -> None:
        folder = f"file:///fuzz/{uuid.uuid4().hex}"
        self.texts.clear()
        self.asked.clear()
        for name in ("a.py", "b.js"):
            self.open(f"{folder}/{name}", "def f(x):\n    é😀 = x\r\n")
        for kind, name, what in steps:
            getattr(self, kind)(f"{folder}/{name}", what)
            await asyncio.sleep(0)
            self.compare()
        for identity in self.asked:
            answer = await self.client.answer(identity)
            assert "result" in answer or answer["error"]["code"] == -32800
        for uri in list(self.texts):
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def compare(self) -> None:
        for uri, expected in self.texts.items():
            assert self.client.text(uri) == expected.text

    def open(self, uri: str, text: str) -> None:
        self.client.open(text, uri, uri.rpartition(".")[2])
        self.texts[uri] = ClientText(text, self.encoding)

    def edit(self, uri: str, changes: list[dict[str, Any]]) -> None:
        self.client.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes},
        )
        if uri in self.texts:
            for change in changes:
                self.texts[uri].change(change)

    def ask(self, uri: str, position: dict[str, int], **context: Any) -> None:
        params = {"textDocument": {"uri": uri}, "position": position, "context": context}
        self.asked.append(self.client.ask("textDocument/inlineCompletion", params))

    def menu(self, uri: str, what: tuple[dict[str, int], dict[str, Any], str]) -> None:
        position, span, text = what
        self.ask(uri, position, triggerKind=1, selectedCompletionInfo={"range": span, "text": text})

    def accept(self, uri: str, number: int) -> None:
        arguments = [self.offer(number)]
        self.asked.append(
            self.client.ask(
                "workspace/executeCommand", {"command": "nightschool.accepted", "arguments": arguments}
            )
        )

    def reject(self, uri: str, number: int) -> None:
        self.client.notify("nightschool/didReject", {"offerIds": [self.offer(number)]})

    def offer(self, number: int) -> str:
        """Return the id of an offer made lately, or of none."""
        made = [
            item["command"]["arguments"][0]
            for message in self.client.received[-20:]
            if isinstance(message.get("result"), list)
            for item in message["result"]
        ]
        return made[number] if number < len(made) else "unknown"

    def cancel(self, uri: str, number: int) -> None:
        self.client.notify("$/cancelRequest", {"id": self.asked[number] if number < len(self.asked) else 99})

    def reopen(self, uri: str, text: str) -> None:
        if uri in self.texts:
            self.open(uri, text)

    def junk(self, uri: str, what: object) -> None:
        for method in ("textDocument/didChange", "textDocument/didOpen", "nightschool/didReject", "$/other"):
            self.client.send({"jsonrpc": "2.0", "method": method, "params": what})
        self.client.send(what)


@pytest.fixture(params=list(PositionEncoding))
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[asyncio.Runner, Player]]:
    engine = FakeEngine(lambda asked: ["x)\n", "y = 1", "é😀(\n    z\n"])
    with asyncio.Runner() as runner:

        async def start() -> Client:
            client = Client(tmp_path / "home", engine)
            await client.initialize(encoding=request.param)
            return client

        client = runner.run(start())
        yield runner, Player(client, request.param)
        runner.run(client.server.close())


@pytest.mark.timeout(600)
def test_any_sequence_of_messages_leaves_the_clients_text(
    played: tuple[asyncio.Runner, Player], caplog: pytest.LogCaptureFixture
) -> None:
    runner, player = played
    sequences = 0

    @settings(
        max_examples=SEQUENCES, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
    )
    @given(st.lists(STEP, min_size=1, max_size=8))
    def play(steps: list[tuple[str, str, Any]]) -> None:
        nonlocal sequences
        sequences += 1
        player.client.received.clear()
        runner.run(player.play(steps))

    with caplog.at_level(logging.WARNING):
        play()
    assert sequences >= SEQUENCES
    internal = [record.message for record in caplog.records if "failed" in record.message]
    assert internal == []
