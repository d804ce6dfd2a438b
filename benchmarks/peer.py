"""The peers: llama.cpp's ``llama-server``, called as llama.vim calls it, and llama-cpp-python's ``Llama``.

Request body, line handling and discards follow llama.vim's ``autoload/llama.vim`` of January 2026. What
differs from it: both sides complete one line (``stop`` holds a newline) of the same greatest length, the time
limits are too long to cut anything, and replies are streamed, since only so is the first token's time seen.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from llama_cpp import CreateCompletionStreamResponse

    from models.prompt import Prompt

HOST = "127.0.0.1"
AS_LLAMA_VIM = ("top_k", "top_p", "infill")
GREEDY = ("temperature",)
NO_LIMIT_MS = 600_000


@dataclass(frozen=True)
class Answer:
    """A completion of one line; times in milliseconds from the moment before the request was sent."""

    text: str
    """Raw, cut at the first newline."""
    first_ms: float
    total_ms: float
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0


class Peer(Protocol):
    name: str

    def complete(self, prompt: Prompt, max_tokens: int) -> Answer: ...

    def close(self) -> None: ...


class LlamaServer:
    """A ``llama-server`` of our own, with the cache settings that llama.vim recommends."""

    name = "llama-server"

    def __init__(self, binary: Path, model: Path, *, threads: int, batch: int, log: Path) -> None:
        """Start it and wait until it answers.

        Args:
            batch: ``--batch-size``. ``/infill`` cuts the prefix to three quarters of it and the suffix to
                the rest, in tokens; llama.vim recommends 1024, with which it sees less of the file.
        """
        self._port = _free_port()
        command = [str(binary), "-m", str(model), "-t", str(threads), "-b", str(batch), "-ub", "1024"]
        command += [
            "-c",
            "8192",
            "--cache-reuse",
            "256",
            "--host",
            HOST,
            "--port",
            str(self._port),
            "--no-ui",
        ]
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self._wait_until_healthy(log)

    def complete(self, prompt: Prompt, max_tokens: int) -> Answer:
        return self._infill(request_of(prompt, max_tokens, AS_LLAMA_VIM))

    def greedy(self, prompt: Prompt, max_tokens: int) -> Answer:
        """Return the most likely text, to compare what is offered; llama.vim's own call draws at random."""
        return self._infill(request_of(prompt, max_tokens, GREEDY))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _infill(self, body: dict[str, Any]) -> Answer:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=600)
        text, first_ms, last = "", None, {}
        began = time.perf_counter()
        connection.request("POST", "/infill", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"llama-server answered {response.status}: {response.read()[:500]!r}")
        for event in _events(response):
            if first_ms is None:
                first_ms = 1000 * (time.perf_counter() - began)
            text, last = text + event["content"], event
        total_ms = 1000 * (time.perf_counter() - began)
        connection.close()
        timings = last["timings"]
        return Answer(
            text.partition("\n")[0],
            total_ms if first_ms is None else first_ms,
            total_ms,
            timings["cache_n"] + timings["prompt_n"],
            timings["prompt_n"],
            timings["predicted_n"],
        )

    def _wait_until_healthy(self, log: Path, timeout_s: float = 120) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"llama-server ended with {self._process.returncode}; see {log}")
            try:
                connection = http.client.HTTPConnection(HOST, self._port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"llama-server did not answer within {timeout_s:g} s; see {log}")


class HighLevelLlama:
    """``llama_cpp.Llama.create_completion`` with the model's own fill-in-the-middle prompt, written out."""

    name = "Llama.create_completion"

    def __init__(self, model: Path, *, threads: int) -> None:
        from llama_cpp import Llama

        self._llama = Llama(str(model), n_ctx=8192, n_threads=threads, n_threads_batch=threads, verbose=False)

    def complete(self, prompt: Prompt, max_tokens: int) -> Answer:
        text = f"<|fim_prefix|>{prompt.prefix}<|fim_suffix|>{prompt.suffix}<|fim_middle|>"
        began = time.perf_counter()
        stream = self._llama.create_completion(
            text, max_tokens=max_tokens, temperature=0, stop=["\n"], stream=True
        )
        first_ms, pieces = None, []
        for part in cast("Iterator[CreateCompletionStreamResponse]", stream):
            if first_ms is None:
                first_ms = 1000 * (time.perf_counter() - began)
            pieces.append(part["choices"][0]["text"])
        total_ms = 1000 * (time.perf_counter() - began)
        prompt_tokens = len(self._llama.tokenize(text.encode(), add_bos=False, special=True))
        first_ms = total_ms if first_ms is None else first_ms
        return Answer("".join(pieces), first_ms, total_ms, prompt_tokens)

    def close(self) -> None:
        self._llama.close()


def request_of(prompt: Prompt, max_tokens: int, samplers: Sequence[str]) -> dict[str, Any]:
    """Return ``/infill``'s body as llama.vim makes it from the same text."""
    above, newline, line = prompt.prefix.rpartition("\n")
    rest, _, below = prompt.suffix.partition("\n")
    indent = len(line) - len(line.lstrip())
    if not (line + rest).strip():
        line, rest, indent = "", "", 0  # as llama.vim: an empty line begins at its margin
    return {
        "id_slot": 0,
        "input_prefix": above + newline,
        "input_suffix": f"{rest}\n{below}",
        "input_extra": [{"filename": chunk.path, "text": chunk.text} for chunk in prompt.chunks],
        "prompt": line,
        "n_predict": max_tokens,
        "stop": ["\n"],
        "n_indent": indent,
        "top_k": 40,
        "top_p": 0.90,
        "samplers": list(samplers),
        "temperature": 0.0 if "temperature" in samplers else 0.8,
        "seed": 1,
        "stream": True,
        "cache_prompt": True,
        "t_max_prompt_ms": NO_LIMIT_MS,
        "t_max_predict_ms": NO_LIMIT_MS,
    }


def offered(text: str, prompt: Prompt) -> str:
    """Return what llama.vim would show of a single-line reply: trimmed on empty lines, no repetition."""
    line, rest = prompt.prefix.rpartition("\n")[2], prompt.suffix.partition("\n")[0]
    if not (line + rest).strip():
        lead = min(len(text) - len(text.lstrip()), len(line + rest))
        line, text = text[:lead], text[lead:]
    below = (other for other in prompt.suffix.split("\n")[1:] if other.strip())
    repeats = text == rest or line + text == next(below, None)
    return "" if repeats or not (text + rest).strip() else text


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line[len(b"data: ") :])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
