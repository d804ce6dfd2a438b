"""``nightschool serve`` as an editor runs it: a process of its own, its pipe, its engine, its ledger."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_lsp
from lsprotocol import types as lsp

from learner.ledger_file import connect_to_read
from lsp_server.demo_client import SERVE, Client
from lsp_server.demo_scenes import Editor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = "def add(first, second):\n    return first + second\n\n\nprint(add(1, 2))\nprint(add(3, "
LONG = "".join(f"value_{number} = compute({number}, 'some text')\n" for number in range(400)) + "total = "
GONE_S = 2.0
"""So long after the editor has gone, nothing of the server may be left."""
BUSY_S = 0.1
"""CPU time that an engine takes only when it computes."""


class Served(Client):
    """A client that knows its server's processes."""

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.server.pid)

    @property
    def engine(self) -> psutil.Process:
        (engine,) = self.process.children()
        return engine

    @property
    def messages_shown(self) -> list[str]:
        shown = [each for each in self.notified if each["method"] == "window/showMessage"]
        return [each["params"]["message"] for each in shown]

    def edit(self, text: str, name: str) -> Editor:
        return Editor(self, f"untitled:{name}", text, len(text))


if TYPE_CHECKING:
    Start = Callable[..., Served]


def ghost_text(editor: Editor) -> str:
    item, _ = editor.answer(editor.ask())
    return item["insertText"] if item else ""


def start_in(root: Path, model: Path | str, **settings: object) -> Served:
    project = root.parent / "project"
    project.mkdir(exist_ok=True)
    environment = {**os.environ, "NIGHTSCHOOL_HOME": str(root)}
    return Served(model, project, environment, {"debounce": 0, **settings})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers in a home of the test's own; none outlives it."""
    clients = []

    def start(model: Path | str, **settings: object) -> Served:
        clients.append(start_in(tmp_path / "home", model, **settings))
        return clients[-1]

    yield start
    for client in clients:
        client.hang_up()


@pytest.fixture(scope="module")
def shared(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that leave it as it was."""
    client = start_in(tmp_path_factory.mktemp("shared") / "home", smollm, max_tokens=8)
    yield client
    client.hang_up()


def test_ghost_text_that_is_accepted_is_in_the_ledger(start: Start, smollm: Path, tmp_path: Path) -> None:
    client = start(smollm, max_tokens=8)
    editor = client.edit(SOURCE, "calls.py")
    item, _ = editor.answer(editor.ask())
    assert item
    editor.accept(item)
    client.close()
    with closing(connect_to_read(tmp_path / "home" / "ledger.db")) as ledger:
        query = "SELECT offer_id, offered_text, label, known_by FROM outcomes"
        (outcome,) = [tuple(row) for row in ledger.execute(query)]
    assert outcome == (item["command"]["arguments"][0], item["insertText"], "accepted", "explicit")


def test_when_the_editor_dies_nothing_is_left_behind(start: Start, smollm: Path) -> None:
    client = start(smollm)
    client.wait_until_ready()
    family = [client.process, client.engine]
    client.edit(LONG, "long.py").ask()  # a prompt of some seconds
    client.stdin.close()
    _, left = psutil.wait_procs(family, timeout=GONE_S)
    assert not left


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_server_that_is_told_to_go_writes_its_record_first(
    start: Start, smollm: Path, tmp_path: Path, number: signal.Signals
) -> None:
    client = start(smollm, max_tokens=8)
    editor = client.edit(SOURCE, "calls.py")
    item, _ = editor.answer(editor.ask())
    assert item
    client.process.send_signal(number)
    client.server.wait(10)
    with closing(connect_to_read(tmp_path / "home" / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM offers WHERE declined IS NULL").fetchone() == (1,)


@pytest.mark.parametrize(("shuts_down", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_it_was_shut_down(start: Start, shuts_down: bool, code: int) -> None:
    client = start("smollm2-135m", enabled=False)
    if shuts_down:
        client.request("shutdown", None)
    client.notify("exit", None)
    assert client.server.wait(10) == code


def test_an_engine_killed_at_work_costs_one_completion_and_one_line(shared: Served) -> None:
    shared.wait_until_ready()
    engine, editor = shared.engine, shared.edit(LONG, "killed.py")
    before = engine.cpu_times().user
    asked = editor.ask()
    while engine.cpu_times().user < before + BUSY_S:
        with suppress(psutil.TimeoutExpired):
            engine.wait(0.01)
    engine.send_signal(signal.SIGKILL)
    assert editor.answer(asked)[0] is None
    assert ghost_text(shared.edit(SOURCE, "after.py"))
    log = (Path(shared.process.environ()["NIGHTSCHOOL_HOME"]) / "server.log").read_text()
    (line,) = [line for line in log.splitlines() if "WARNING" in line or "signal" in line]
    assert "the engine process ended (signal 9); restarting it" in line
    assert shared.messages_shown == []


def test_two_servers_share_a_home(shared: Served, smollm: Path) -> None:
    home = Path(shared.process.environ()["NIGHTSCHOOL_HOME"])
    other = start_in(home, smollm, max_tokens=8)
    try:
        asked = [
            (editor, editor.ask()) for editor in (shared.edit(SOURCE, "a.py"), other.edit(SOURCE, "b.py"))
        ]
        assert all(editor.answer(request)[0] for editor, request in asked)
    finally:
        other.close()
    with closing(connect_to_read(home / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM outcomes WHERE uri = 'untitled:b.py'").fetchone()[0] == 1
    assert shared.messages_shown == other.messages_shown == []


def test_a_model_that_arrives_later_completes_without_a_restart(
    start: Start, smollm: Path, tmp_path: Path
) -> None:
    client = start("smollm2-135m", max_tokens=8)
    client.wait_for_state("error")
    assert "nightschool model get smollm2-135m" in client.status["remedy"]
    editor = client.edit(SOURCE, "early.py")
    assert ghost_text(editor) == ""
    (tmp_path / "home" / "models").mkdir(exist_ok=True)  # the server may have made it, to watch it
    (tmp_path / "home" / "models" / smollm.name).symlink_to(smollm)
    client.wait_for_state("ready")
    assert ghost_text(editor)
    assert len(client.messages_shown) == 1


def truncated(smollm: Path) -> bytes:
    with smollm.open("rb") as file:
        return file.read(1_000_000)


@pytest.mark.parametrize(
    "contents", [truncated, lambda _: b"this is no model\n"], ids=["truncated", "no GGUF"]
)
def test_a_bad_model_is_explained_once_and_the_editor_lives(
    start: Start, smollm: Path, tmp_path: Path, contents: Callable[[Path], bytes]
) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(contents(smollm))
    client = start(bad)
    client.wait_for_state("error")
    assert "bad.gguf" in client.status["message"]
    assert "nightschool model" in client.status["message"] + client.status["remedy"]
    editor = client.edit(SOURCE, "calls.py")
    assert ghost_text(editor) == ""
    editor.type("4")
    assert client.request("workspace/executeCommand", {"command": "nightschool.status"})["state"] == "error"
    assert len(client.messages_shown) == 1


async def test_an_independent_client_understands_every_answer(
    smollm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pygls' client reads each answer into the protocol's own types and fails where one does not fit."""
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(tmp_path / "home"))
    client = pytest_lsp.make_test_lsp_client()
    await client.start_io(sys.executable, *SERVE, "--stdio", "--model", str(smollm))
    found = await client.initialize_session(
        lsp.InitializeParams(
            capabilities=lsp.ClientCapabilities(
                text_document=lsp.TextDocumentClientCapabilities(
                    inline_completion=lsp.InlineCompletionClientCapabilities()
                )
            ),
            workspace_folders=[lsp.WorkspaceFolder(tmp_path.as_uri(), "project")],
            initialization_options={"max_tokens": 8, "completion_items": True},
        )
    )
    assert found.capabilities.inline_completion_provider is not None
    document = lsp.TextDocumentIdentifier("untitled:calls.py")
    client.text_document_did_open(
        lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(document.uri, "python", 1, SOURCE[:-1]))
    )
    end = lsp.Position(5, len(SOURCE.splitlines()[-1]))
    client.text_document_did_change(
        lsp.DidChangeTextDocumentParams(
            lsp.VersionedTextDocumentIdentifier(2, document.uri),
            [lsp.TextDocumentContentChangePartial(lsp.Range(end, end), " ")],
        )
    )
    context = lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Invoked)
    ghosts = await client.text_document_inline_completion_async(
        lsp.InlineCompletionParams(context, document, end)
    )
    assert isinstance(ghosts, list) and ghosts[0].range and ghosts[0].command
    menu = await client.text_document_completion_async(lsp.CompletionParams(document, end))
    assert isinstance(menu, list)
    command = ghosts[0].command
    await client.workspace_execute_command_async(lsp.ExecuteCommandParams(command.command, command.arguments))
    status: Any = await client.workspace_execute_command_async(lsp.ExecuteCommandParams("nightschool.status"))
    assert status["state"] == "ready"
    await client.shutdown_session()
    await client.stop()
