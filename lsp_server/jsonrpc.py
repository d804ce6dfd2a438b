"""JSON-RPC 2.0 over a pair of pipes, as language servers speak it: framing, dispatch, cancelling.

It knows nothing of LSP's types. Python's established server library needs more than half a second to
build the protocol's 570 classes before it can read a byte; ``docs/decisions/json-rpc.md`` has the figures.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    Handler = Callable[[dict[str, Any]], Any]

logger = logging.getLogger(__name__)

_BACKSLASH = ord("\\")
LARGEST_MESSAGE = 2**30
LONGEST_STRING = 2_500_000
"""Bytes, as JSON spells it; a longer one would keep the event loop busy for as long as it is decoded, split
into lines and compared."""
LEFT_OUT = "nightschoolLeftOutBytes"
"""What stands in a string's place instead: an object with its size under this name."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REQUEST_CANCELLED = -32800
REQUEST_FAILED = -32803
"""LSP's: what was asked for is well-formed, but cannot be done."""


class RpcError(Exception):
    """An answer that is an error; ``code`` as JSON-RPC numbers them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Connection:
    """One client: what it sends is handed to handlers on the event loop, in order.

    A handler gets the message's ``params``. It runs to its end before the next message is looked at; the
    part of a request that takes time is an awaitable which the handler returns. So a request sees the
    documents as they were when it was sent.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._handlers: dict[str, Handler] = {}
        self._running: dict[int | str, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Any]] = {}
        """What the client was asked and has not answered."""

    def on(self, method: str, handler: Handler) -> None:
        """Let ``handler`` answer the requests, or take the notifications, named ``method``."""
        self._handlers[method] = handler

    def receive(self, body: bytes) -> None:
        """Take one message from the client; whatever it holds, nothing is raised."""
        try:
            message = _decode(body)
        except (ValueError, RecursionError) as error:
            logger.warning("a message of %d bytes is no JSON: %s", len(body), type(error).__name__)
            self._fail(None, PARSE_ERROR, "the message is no JSON")
            return
        if not isinstance(message, dict):
            self._fail(None, INVALID_REQUEST, "the message is no object")
            return
        method, params, identity = message.get("method"), message.get("params"), message.get("id")
        if not isinstance(method, str):
            self._answered(identity, message)
            return
        if params is None:
            params = {}
        if not isinstance(params, dict) or not isinstance(identity, (int, str, type(None))):
            self._fail(
                None, INVALID_REQUEST, f"{method}: params must be an object, the id a number or a string"
            )
        elif identity is None:
            self._notified(method, params)
        else:
            self._requested(identity, method, params)

    def notify(self, method: str, params: object) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: object) -> asyncio.Future[Any]:
        """Send a request to the client; the future has its result, or raises :class:`RpcError`."""
        identity = f"nightschool-{next(self._numbers)}"
        answer = self._asked[identity] = asyncio.get_running_loop().create_future()
        self._write({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        return answer

    def cancel_all(self) -> None:
        """Stop the requests that are still being worked on; each is answered as cancelled.

        What the client was asked is waited for no longer.
        """
        for running in [*self._running.values(), *self._asked.values()]:
            running.cancel()

    def _answered(self, identity: object, message: dict[str, Any]) -> None:
        answer = self._asked.pop(identity, None) if isinstance(identity, str) else None
        if answer is None or answer.done():
            return
        if error := message.get("error"):
            code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (0, error)
            answer.set_exception(RpcError(code if isinstance(code, int) else INTERNAL_ERROR, str(text)))
        else:
            answer.set_result(message.get("result"))

    def _notified(self, method: str, params: dict[str, Any]) -> None:
        if method == "$/cancelRequest":
            running = self._running.get(params.get("id", ""))
            if running is not None:
                running.cancel()
        elif (handler := self._handlers.get(method)) is not None:
            try:
                handler(params)
            except Exception as error:  # whatever it is, the next message must still be served
                logger.warning("%s was passed over: %s", method, _without_text(error))

    def _requested(self, identity: int | str, method: str, params: dict[str, Any]) -> None:
        handler = self._handlers.get(method)
        if handler is None:
            self._fail(identity, METHOD_NOT_FOUND, f"{method} is not served here")
            return
        try:
            result = handler(params)
        except Exception as error:  # whatever it is, the client gets an answer
            self._fail_with(identity, method, error)
            return
        if not asyncio.iscoroutine(result):
            self._write({"jsonrpc": "2.0", "id": identity, "result": result})
            return
        task = self._running[identity] = asyncio.ensure_future(result)
        task.add_done_callback(lambda done: self._answer(identity, method, done))

    def _answer(self, identity: int | str, method: str, done: asyncio.Future[Any]) -> None:
        if self._running.get(identity) is done:
            del self._running[identity]
        if done.cancelled():
            self._fail(identity, REQUEST_CANCELLED, "cancelled")
        elif (error := done.exception()) is not None:
            self._fail_with(identity, method, error)
        else:
            self._write({"jsonrpc": "2.0", "id": identity, "result": done.result()})

    def _fail_with(self, identity: int | str, method: str, error: BaseException) -> None:
        if isinstance(error, RpcError):
            self._fail(identity, error.code, str(error))
            return
        logger.warning("%s failed: %s", method, _without_text(error))
        malformed = isinstance(error, (KeyError, TypeError, ValueError))
        self._fail(
            identity, INVALID_PARAMS if malformed else INTERNAL_ERROR, f"{method}: {_without_text(error)}"
        )

    def _fail(self, identity: int | str | None, code: int, message: str) -> None:
        self._write({"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode("ascii")
        try:
            self._send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except (BrokenPipeError, ConnectionError):
            logger.info("the client no longer reads")


def _decode(body: bytes) -> Any:
    """Return the JSON value; a byte that is no UTF-8 costs a character, not the message."""
    try:
        text = body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    return json.loads(text)


def _without_text(error: BaseException) -> str:
    """Say what went wrong and where, but not with which values: they may be the developer's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
    return f"{type(error).__name__} at {where}"


def read_messages(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the body of each message until the stream ends, without its longest strings.

    Lines that are no header are passed over.
    """
    while (length := _read_length(stream)) is not None:
        body = stream.read(length)
        if len(body) < length:
            return
        yield shortened(body)


def shortened(body: bytes) -> bytes:
    """Return a message in which each string of more than :data:`LONGEST_STRING` bytes is left out.

    It looks for quotes only, one after the other, so that a thread can do it beside the event loop: JSON's
    decoder would hold Python's lock for the whole of the string.
    """
    if len(body) <= LONGEST_STRING:
        return body
    pieces, kept, start = [], 0, 0
    while (start := body.find(b'"', start)) >= 0:
        end = _end_of_string(body, start)
        if end - start > LONGEST_STRING:
            pieces += [body[kept:start], b'{"%b":%d}' % (LEFT_OUT.encode(), end - start)]
            kept = end
        start = end
    return b"".join([*pieces, body[kept:]])


def _end_of_string(body: bytes, start: int) -> int:
    """Return the index after the quote that closes the string which one at ``start`` opens."""
    end = start
    while (end := body.find(b'"', end + 1)) >= 0:
        before = end
        while body[before - 1] == _BACKSLASH:
            before -= 1
        if (end - before) % 2 == 0:
            return end + 1
    return len(body)


def is_left_out(value: object) -> bool:
    """Whether a string stood here that was too long to be taken."""
    return isinstance(value, dict) and LEFT_OUT in value


def _read_length(stream: BinaryIO) -> int | None:
    length = None
    while line := stream.readline():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = min(int(value), LARGEST_MESSAGE)
        elif not line.strip() and length is not None:
            return length
    return None


async def serve(connection: Connection, stream: BinaryIO, ended: asyncio.Event) -> None:
    """Hand the stream's messages to the connection until it ends or ``ended`` is set."""
    loop = asyncio.get_running_loop()

    def pump() -> None:
        with suppress(RuntimeError):  # the loop was closed while this thread waited for the client
            for body in read_messages(stream):
                loop.call_soon_threadsafe(connection.receive, body)
            loop.call_soon_threadsafe(ended.set)

    # A thread of our own, because it cannot be woken from its read: as a daemon it dies with the process.
    threading.Thread(target=pump, name="stdin", daemon=True).start()
    await ended.wait()
