"""A night from the editor: progress, the verdict in one line, cancelling, and a server that leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from fake_engine import FakeEngine
from in_process import Client

from lsp_server.jsonrpc import REQUEST_CANCELLED, REQUEST_FAILED
from lsp_server.night import COMMAND, Night, progress_line, verdict_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

SCRIPT = Path(__file__).with_name("scripted_night.py")
EXAM = {
    "serving": {"outcomes": {"exact_match": 0.31}},
    "candidate": {"outcomes": {"exact_match": 0.342}},
}
PROMOTED = {"verdict": "promoted", "adapter": "20261121-0300-3f2a", "reasons": [], "exam": EXAM}
REFUSED = {"verdict": "refused", "adapter": "20261121-0300-3f2a", "reasons": ["forgets", "leaks"], "exam": {}}


@pytest.fixture
def process_id(tmp_path: Path) -> Iterator[Path]:
    """Where a scripted night writes its process id; it does not outlive the test."""
    path = tmp_path / "pid"
    yield path
    if path.exists():
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGKILL)


def scripted(client: Client, *words: object) -> None:
    """Let the night be a script that does this."""
    said = [json.dumps(word) if isinstance(word, dict) else str(word) for word in words]
    use(client, [sys.executable, str(SCRIPT), *said])


def use(client: Client, command: Sequence[str]) -> None:
    server = client.server
    server._night = Night(client.home, server._connection, server._reporter, command)
    server._commands._night = server._night


def process_of(path: Path) -> psutil.Process:
    return psutil.Process(int(path.read_text()))


def has_begun(process_id: Path) -> bool:
    return process_id.exists()


def progress(client: Client, kind: str) -> list[dict[str, Any]]:
    found = [each["value"] for each in client.notified("$/progress")]
    return [value for value in found if value["kind"] == kind]


def messages(client: Client) -> list[str]:
    return [each["message"] for each in client.notified("window/showMessage")]


def train(client: Client, token: str | None = "t", **params: object) -> int:
    asked = {"command": "nightschool.train", "arguments": [], "workDoneToken": token, **params}
    return client.ask("workspace/executeCommand", asked)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    client = Client(tmp_path / "home", FakeEngine(lambda request: []))
    await client.initialize()
    yield client
    await client.server.close()


async def test_the_real_night_says_what_is_missing(client: Client) -> None:
    use(client, COMMAND)
    error = (await client.answer(train(client)))["error"]
    assert error["code"] == REQUEST_FAILED
    assert error["message"].startswith("the night failed: the model in use is not here (")
    assert error["message"].endswith("); run: nightschool model get qwen2.5-coder-1.5b")


async def test_progress_is_relayed_and_the_verdict_told_once(client: Client) -> None:
    scripted(
        client,
        "--say", {"progress": {"phase": "load", "done": 0, "total": 0, "loss": None, "seconds_left": None}},
        "--say", {"progress": {"phase": "train", "done": 10, "total": 40, "loss": 0.9, "seconds_left": 125}},
        "--say", "a line that is no JSON",
        "--say", {"progress": {"phase": "exam", "done": 1, "total": 2, "message": "two arms"}},
        "--say", PROMOTED,
    )  # fmt: skip
    result = (await client.answer(train(client)))["result"]
    assert result == PROMOTED
    assert progress(client, "begin") == [
        {"kind": "begin", "title": "Nightschool: learning", "cancellable": True, "percentage": 0}
    ]
    assert [(value["message"], value["percentage"]) for value in progress(client, "report")] == [
        ("loading the model", 0),
        ("training 10/40, loss 0.900, 2 min left", 15),
        ("examining 1/2, two arms", 80),
    ]
    line = (
        "adapter 20261121-0300-3f2a passed its exam and serves now: "
        "exact match on your newest outcomes 31.0 % → 34.2 %"
    )
    assert progress(client, "end") == [{"kind": "end", "message": line}]
    assert messages(client) == [f"Nightschool: {line}"]
    assert {each["token"] for each in client.notified("$/progress")} == {"t"}


async def test_a_client_that_shows_progress_is_asked_for_a_token(tmp_path: Path) -> None:
    client = Client(tmp_path / "home", FakeEngine(lambda request: []))
    params = {"capabilities": {"window": {"workDoneProgress": True}}}
    await client.request("initialize", params)
    scripted(client, "--say", PROMOTED)
    asked = train(client, None)
    create = await client.until_asked("window/workDoneProgress/create")
    client.send({"jsonrpc": "2.0", "id": create["id"], "result": None})
    await client.answer(asked)
    assert {each["token"] for each in client.notified("$/progress")} == {create["params"]["token"]}
    await client.server.close()


async def test_a_client_that_refuses_a_token_gets_no_progress(tmp_path: Path) -> None:
    client = Client(tmp_path / "home", FakeEngine(lambda request: []))
    await client.request("initialize", {"capabilities": {"window": {"workDoneProgress": True}}})
    scripted(client, "--say", REFUSED)
    asked = train(client, None)
    create = await client.until_asked("window/workDoneProgress/create")
    client.send({"jsonrpc": "2.0", "id": create["id"], "error": {"code": -32603, "message": "no"}})
    assert (await client.answer(asked))["result"] == REFUSED
    assert client.notified("$/progress") == []
    await client.server.close()


async def test_a_client_without_progress_gets_the_verdict_alone(client: Client) -> None:
    scripted(client, "--say", REFUSED)
    assert (await client.answer(train(client, None)))["result"] == REFUSED
    assert client.notified("$/progress") == []
    assert "did not pass its exam, what served serves on: forgets (and 1 more)" in messages(client)[0]


async def test_a_failed_night_says_why(client: Client) -> None:
    scripted(client, "--fail", "torch is not installed")
    error = (await client.answer(train(client)))["error"]
    assert error == {"code": REQUEST_FAILED, "message": "the night failed: torch is not installed"}
    assert progress(client, "end")[0]["message"] == error["message"]
    assert messages(client) == [], "the client shows the error"


async def test_a_night_that_says_nothing_has_failed(client: Client) -> None:
    scripted(client)
    assert "it ended with code 0" in (await client.answer(train(client)))["error"]["message"]


async def test_a_second_night_is_refused_while_one_runs(client: Client, process_id: Path) -> None:
    scripted(client, "--pid", process_id, "--say", {"progress": {"phase": "load"}}, "--wait")
    first = train(client)
    await client.until_notified("$/progress", 2)
    error = (await client.answer(train(client)))["error"]
    assert (error["code"], "running already" in error["message"]) == (REQUEST_FAILED, True)
    client.notify("$/cancelRequest", {"id": first})
    assert (await client.answer(first))["error"]["code"] == REQUEST_CANCELLED


@pytest.mark.parametrize("how", ["progress", "request"])
async def test_cancelling_ends_the_process(client: Client, process_id: Path, how: str) -> None:
    scripted(client, "--pid", process_id, "--say", {"progress": {"phase": "load"}}, "--wait")
    asked = train(client)
    await client.until_notified("$/progress", 2)
    process = process_of(process_id)
    client.notify("window/workDoneProgress/cancel", {"token": "another"})
    if how == "progress":
        client.notify("window/workDoneProgress/cancel", {"token": "t"})
    else:
        client.notify("$/cancelRequest", {"id": asked})
    assert (await client.answer(asked))["error"]["code"] == REQUEST_CANCELLED
    assert progress(client, "end")[0]["message"] == "cancelled; the next night goes on from here"
    _, left = await asyncio.to_thread(psutil.wait_procs, [process], 10)
    assert not left
    scripted(client, "--say", PROMOTED)
    assert (await client.answer(train(client)))["result"] == PROMOTED


async def test_the_night_outlives_its_server_at_the_lowest_priority(client: Client, process_id: Path) -> None:
    scripted(client, "--pid", process_id, "--say", {"progress": {"phase": "load"}}, "--wait")
    asked = train(client)
    await client.until_notified("$/progress", 2)
    process = process_of(process_id)
    await client.server.close()
    assert "error" in await client.answer(asked)
    assert process.is_running()
    assert process.nice() == 19
    assert os.getsid(process.pid) == process.pid, "what ends an editor's processes does not end it"


async def test_the_minutes_are_passed_on(client: Client) -> None:
    scripted(client, "--say", PROMOTED)
    await client.answer(train(client, arguments=[7]))
    assert (await client.answer(train(client, arguments=["soon"])))["error"]["code"] == -32602


def test_what_is_unknown_is_said_as_it_is() -> None:
    assert progress_line({"phase": "dream", "done": 0, "total": 0}) == "dream"
    line = verdict_line({**PROMOTED, "exam": None})
    assert line == "adapter 20261121-0300-3f2a passed its exam and serves now"


async def test_a_night_that_is_cancelled_before_it_has_begun_does_not_begin(
    client: Client, process_id: Path
) -> None:
    """Both messages in one read of the pipe: the second is handled before the first one's task runs."""
    scripted(client, "--pid", process_id, "--wait")
    asked = train(client)
    client.notify("window/workDoneProgress/cancel", {"token": "t"})
    assert (await client.answer(asked))["error"]["code"] == REQUEST_CANCELLED
    assert not has_begun(process_id)
    assert progress(client, "end")[0]["message"] == "cancelled; the next night goes on from here"
    scripted(client, "--say", PROMOTED)
    assert (await client.answer(train(client)))["result"] == PROMOTED


async def test_a_late_cancel_does_not_reach_the_next_night(client: Client) -> None:
    scripted(client, "--say", PROMOTED)
    await client.answer(train(client))
    client.notify("window/workDoneProgress/cancel", {"token": "t"})
    assert (await client.answer(train(client)))["result"] == PROMOTED
