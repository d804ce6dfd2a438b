"""What is too large for the event loop does not get there: the size of a message bounds the loop's work."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import URI, position

from lsp_server import jsonrpc
from lsp_server.jsonrpc import LEFT_OUT, LONGEST_STRING, read_messages, serve, shortened

if TYPE_CHECKING:
    import pytest
    from in_process import Client

SMALL = 12
texts = st.text(alphabet='a"\\\nπ', max_size=2 * SMALL)
values = st.recursive(
    texts | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text("key", max_size=4), inner)
)


def without_long(value: Any) -> Any:
    """The reference: decode first, then leave out."""
    if isinstance(value, str):
        size = len(json.dumps(value))
        return {LEFT_OUT: size} if size > SMALL else value
    if isinstance(value, list):
        return [without_long(each) for each in value]
    return {key: without_long(each) for key, each in value.items()} if isinstance(value, dict) else value


@given(values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_long_strings_are_left_out(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr(jsonrpc, "LONGEST_STRING", SMALL)
    assert json.loads(shortened(json.dumps(value).encode())) == without_long(value)


def framed(*messages: dict[str, Any]) -> io.BytesIO:
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    return io.BytesIO(b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies))


def opening(text: str) -> dict[str, Any]:
    item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    return {"method": "textDocument/didOpen", "params": {"textDocument": item}}


ASKING = {
    "method": "textDocument/inlineCompletion",
    "params": {"textDocument": {"uri": URI}, "position": position(0, 3), "context": {}},
}
HUGE = 'print("line")\n' * (50_000_000 // 14)


async def received(client: Client, monkeypatch: pytest.MonkeyPatch, stream: io.BytesIO) -> list[int]:
    """Hand the stream to the server; return the sizes of the messages that reached the event loop."""
    sizes: list[int] = []
    take = client._connection.receive

    def receive(body: bytes) -> None:
        sizes.append(len(body))
        take(body)

    monkeypatch.setattr(client._connection, "receive", receive)
    await serve(client._connection, stream, client.server.ended)
    client.server.ended.clear()
    return sizes


async def test_fifty_megabytes_never_reach_the_event_loop(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.initialize()
    edit = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": HUGE}]}
    sizes = await received(
        client,
        monkeypatch,
        framed(opening(HUGE), {"method": "textDocument/didChange", "params": edit}, {"id": 77, **ASKING}),
    )
    assert len(sizes) == 3 and max(sizes) < 3_000_000
    assert [message["result"] for message in client.received if message.get("id") == 77] == [[]]
    assert await client.declined() == "too_large"
    client.open("a = \n")
    assert await client.texts(0, 4) == ["completed()"]


async def test_a_document_that_becomes_huge_is_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.initialize()
    client.open("a = \n")
    span = {"start": position(0, 0), "end": position(0, 0)}
    edit = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": span, "text": HUGE}]}
    await received(client, monkeypatch, framed({"method": "textDocument/didChange", "params": edit}))
    assert await client.texts(0, 4) == []
    assert await client.declined() == "too_large"
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await client.texts(0, 4) == []
    assert await client.declined() == "not_open"


def test_a_string_that_never_ends_is_survived() -> None:
    body = b'{"method": "' + b"x" * LONGEST_STRING
    assert [
        len(each) for each in read_messages(io.BytesIO(b"Content-Length: %d\r\n\r\n%b" % (len(body), body)))
    ] < [100]
