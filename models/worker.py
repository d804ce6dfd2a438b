"""The engine process: reads requests from stdin, answers on stdout, exits when stdin closes.

Run by :mod:`models.supervisor`. A thread reads the messages, so that a newer request raises the abort flag
while an older one is being computed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from models import messages
from models.engine import EngineError, EngineState, EngineStatus
from models.llama import AbortedError, AbortFlag, Log
from models.loading import load

if TYPE_CHECKING:
    from models.completer import Completer
    from models.messages import Message


_IDLE_S = 20.0
"""Seconds without a message before anything is measured; typing pauses are shorter."""
_NICENESS = 5
_NOTHING = 0
"""The number of no request: what runs is work that any message may stop."""


class Outbox:
    """Writes whole messages, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def put(self, message: Message) -> None:
        with self._lock:
            self._stream.write(messages.to_line(message))
            self._stream.flush()


class Inbox:
    """What is to be done next; only the newest completion is, the older ones are answered as stopped."""

    def __init__(self, abort: AbortFlag, outbox: Outbox) -> None:
        self._abort, self._outbox = abort, outbox
        self._changed = threading.Condition()
        self._orders: deque[Message] = deque()
        self._newest: tuple[Message, float] | None = None
        self._running: int | None = None

    def put(self, message: Message) -> None:
        with self._changed:
            if message["kind"] == "complete":
                self._replace((message, time.perf_counter()))
            elif message["kind"] == "cancel":
                self._cancel(message["number"])
            else:
                self._orders.append(message)
                if self._running == _NOTHING:
                    self._abort.up()
            self._changed.notify()

    def _replace(self, newer: tuple[Message, float] | None) -> None:
        if self._newest:
            self._outbox.put(messages.reply(self._newest[0]["number"]))
        self._newest = newer
        if self._running is not None:
            self._abort.up()

    def _cancel(self, number: int) -> None:
        if self._newest and self._newest[0]["number"] == number:
            self._outbox.put(messages.reply(number))
            self._newest = None
        elif self._running == number:
            self._abort.up()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be done; calls off the abort of what was done last."""
        with self._changed:
            self._running = None
            self._abort.down()
            return not (self._orders or self._newest)

    def take(self, timeout_s: float | None = None) -> tuple[Message, float] | None:
        """Wait for the next message; with it, when it was read (:func:`time.perf_counter`).

        The abort flag is down from then on unless something newer comes. None after ``timeout_s``: then
        any message raises the flag.
        """
        with self._changed:
            self._running = None
            self._abort.down()
            if not self._changed.wait_for(lambda: self._orders or self._newest, timeout_s):
                self._running = _NOTHING
                return None
            if self._orders:
                return self._orders.popleft(), time.perf_counter()
            assert self._newest
            message, read_at = self._newest
            self._newest, self._running = None, message["number"]
            return message, read_at


def answer(completer: Completer, message: Message, read_at: float) -> Message:
    """Do what ``message`` asks for and return the reply."""
    number = message["number"]
    try:
        if message["kind"] == "adapter":
            completer.use_adapter(Path(message["path"]) if message["path"] else None)
            return messages.reply(number)
        if message["kind"] == "score":
            scored = completer.score(*messages.score_of(message))
            return messages.reply(number, scored=scored)
        completion = completer.complete(messages.request_of(message), read_at)
        return messages.reply(number, completion=completion)
    except AbortedError:
        return messages.reply(number)
    except EngineError as error:
        return messages.reply(number, error=str(error))


def listen(stream: BinaryIO, inbox: Inbox) -> None:
    """Read messages until the server closes the pipe; then end the process, even in mid-computation."""
    for line in stream:
        inbox.put(messages.from_line(line))
    os._exit(0)


def main() -> None:
    # The editor, its server and whatever else is run by hand come first: they want a core for a moment only.
    if sys.platform != "win32":
        os.nice(_NICENESS)
    # What a library prints must not get between the messages.
    outbox = Outbox(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    abort, log = AbortFlag(), Log()
    inbox = Inbox(abort, outbox)
    begin = messages.from_line(sys.stdin.buffer.readline())
    threading.Thread(target=listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    model = Path(begin["model"])
    try:
        completer, chores = load(model, messages.options_of(begin), abort, log)
    except EngineError as error:
        outbox.put(messages.status(EngineStatus(EngineState.FAILED, str(model), str(error))))
        return
    serving = str(completer.adapter[0]) if completer.adapter else None
    outbox.put(messages.status(EngineStatus(EngineState.READY, str(model), completer.notice, serving)))
    while True:
        chore = next((chore for chore in chores if not chore.is_done), None)
        taken = inbox.take(_IDLE_S if chore else None)
        if taken:
            outbox.put(answer(completer, *taken))
            if inbox.is_idle:
                completer.tidy()
        elif chore:
            # Aborted, the measurement begins anew at the next pause.
            with contextlib.suppress(AbortedError):
                chore.step()


if __name__ == "__main__":
    main()
