"""The server as a client meets it: its capabilities, settings, states, and what bad input gets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine
from in_process import URI, Client, model_in, position

from learner.facts import Offered
from learner.ignored import kept_globs
from lsp_server.permission import LARGEST_DOCUMENT, LONGEST_LINE
from models.engine import EngineState

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_says_what_it_can_do(client: Client) -> None:
    result = await client.initialize(encoding="utf-32")
    capabilities = result["capabilities"]
    assert capabilities["positionEncoding"] == "utf-32"
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["inlineCompletionProvider"] == {}
    assert "completionProvider" not in capabilities
    assert capabilities["executeCommandProvider"]["commands"] == [
        "nightschool.accepted",
        "nightschool.forget",
        "nightschool.rollback",
        "nightschool.snooze",
        "nightschool.status",
        "nightschool.train",
    ]


async def test_a_client_that_names_no_encoding_counts_utf16(client: Client) -> None:
    result = await client.request("initialize", {"capabilities": {}})
    assert result["capabilities"]["positionEncoding"] == "utf-16"


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 10), ("utf-16", 7), ("utf-32", 6)])
async def test_positions_are_counted_as_negotiated(client: Client, encoding: str, character: int) -> None:
    await client.initialize(encoding=encoding)
    client.open("s=é😀+ \n")
    (item,) = await client.ghost(0, character)
    assert item["range"]["start"] == position(0, character)
    assert client.engine.completed[-1].prompt.prefix == "s=é😀+ "


async def test_requests_before_initialize_are_refused(client: Client) -> None:
    answer = await client.answer(client.ask_ghost(0, 0))
    assert answer["error"]["code"] == -32002


async def test_an_untitled_buffer_is_completed(client: Client) -> None:
    await client.initialize()
    client.open("a = \n", "untitled:Untitled-1")
    assert await client.texts(0, 4, uri="untitled:Untitled-1") == ["completed()"]


async def test_folders_come_and_go(client: Client, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    await client.initialize()
    folder = {"uri": (tmp_path / "one").as_uri(), "name": "one"}
    uri = (tmp_path / "one" / "x.py").as_uri()
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    client.open("a = \n", uri)
    await client.texts(0, 4, uri=uri)
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    client.open("b = \n", uri)
    await client.texts(0, 4, uri=uri)
    projects = [fact.project for fact in client.facts if isinstance(fact, Offered)]
    assert projects == [str(tmp_path / "one"), ""]


async def test_a_never_opened_document_gets_an_empty_list(client: Client) -> None:
    await client.initialize()
    assert await client.texts(3, 3) == []


async def test_an_ignored_file_is_neither_completed_nor_recorded(client: Client, tmp_path: Path) -> None:
    await client.initialize()
    uri = (tmp_path / ".env").as_uri()
    client.open("TOKEN=\n", uri)
    assert await client.texts(0, 6, uri=uri) == []
    assert await client.declined() == "ignored_file"
    assert client.engine.completed == []
    assert not [fact for fact in client.facts if isinstance(fact, Offered)]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"enabled": False}, "off"),
        ({"languages": {"python": False}}, "language_off"),
        ({"disabled_paths": ["project/*.py"]}, "path_off"),
        ({"in_comments": False}, "in_comment"),
    ],
)
async def test_settings_keep_it_silent(client: Client, settings: dict[str, Any], why: str) -> None:
    await client.initialize(**settings)
    client.open("# a comment \n")
    assert await client.texts(0, 12) == []
    assert await client.declined() == why
    client.notify("workspace/didChangeConfiguration", {"settings": {"nightschool": {"debounce": 0}}})
    assert await client.texts(0, 12) == ["completed()"]


async def test_what_may_be_kept_follows_folders_and_settings(client: Client, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ".gitignore").write_text("built.py\n")
    await client.initialize()
    assert client.filters[-1].allows(tmp_path / "one" / "built.py")
    folder = {"uri": (tmp_path / "one").as_uri(), "name": "one"}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    assert not client.filters[-1].allows(tmp_path / "one" / "built.py")
    assert client.filters[-1].allows(tmp_path / "one" / "own.py")
    client.notify("workspace/didChangeConfiguration", {"settings": {"ignore": ["own.py"]}})
    assert not client.filters[-1].allows(tmp_path / "one" / "own.py")


async def test_the_night_is_told_what_the_settings_ignore(client: Client) -> None:
    await client.initialize(ignore=["*.sql"])
    await until_kept(client, ("*.sql",))
    client.notify("workspace/didChangeConfiguration", {"settings": {"ignore": ["gen/"]}})
    await until_kept(client, ("gen/",))


async def until_kept(client: Client, globs: tuple[str, ...]) -> None:
    async with asyncio.timeout(10):
        while kept_globs(client.home.ignored) != globs:  # noqa: ASYNC110 - a thread of the pool writes them
            await asyncio.sleep(0)


async def test_the_status_names_the_adapter(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("")
    await client.texts(0, 0)
    engine.say(EngineState.READY, adapter="adapters/20261121-0300-3f2a/adapter.gguf")
    assert (await client.status())["adapter"] == "20261121-0300-3f2a"


async def test_off_ends_the_engine(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    client.notify("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
    await client.server.session.follow()
    assert (engine.started, engine.closed) == (1, 1)
    assert client.notified("nightschool/status")[-1]["state"] == "off"


async def test_a_snooze_is_silent_and_ends_on_demand(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    await client.command("nightschool.snooze", 5)
    assert await client.texts(0, 4) == []
    assert await client.declined() == "snoozed"
    await client.command("nightschool.snooze", 0)
    assert await client.texts(0, 4) == ["completed()"]


async def test_a_bad_setting_is_named_once(client: Client) -> None:
    await client.initialize(max_tokens="many")
    client.notify("workspace/didChangeConfiguration", {"settings": {"max_tokens": "many"}})
    (message,) = client.notified("window/showMessage")
    assert "max_tokens" in message["message"] and "many" in message["message"]


async def initialize_with_configuration(client: Client) -> None:
    capabilities = {"workspace": {"configuration": True}}
    await client.request(
        "initialize", {"capabilities": capabilities, "initializationOptions": {"debounce": 0}}
    )


@pytest.mark.parametrize("given", [None, {}, {"nightschool": None}, {"nightschool": {}}])
async def test_a_client_that_only_says_that_something_changed_is_asked(client: Client, given: object) -> None:
    await initialize_with_configuration(client)
    client.notify("workspace/didChangeConfiguration", {"settings": given})
    await asyncio.sleep(0)
    (question,) = [
        message for message in client.received if message.get("method") == "workspace/configuration"
    ]
    assert question["params"] == {"items": [{"section": "nightschool"}]}
    client.send({"jsonrpc": "2.0", "id": question["id"], "result": [{"max_tokens": 7, "threads": "many"}]})
    await client.until_notified("window/showMessage")
    settings = (await client.status())["settings"]
    assert (settings["max_tokens"], settings["threads"]) == (7, None)
    (message,) = client.notified("window/showMessage")
    assert "threads" in message["message"]


async def test_settings_stay_where_the_client_does_not_tell_them(client: Client) -> None:
    await initialize_with_configuration(client)
    client.notify("workspace/didChangeConfiguration", {"settings": {"max_tokens": 7}})
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await asyncio.sleep(0)
    question = client.received[-1]
    for answer in ({"error": {"code": -32601, "message": "no"}}, {"result": [{}]}, {"error": 3}):
        client.send({"jsonrpc": "2.0", "id": question["id"], **answer})
    client.send({"jsonrpc": "2.0", "id": [], "result": None})
    assert (await client.status())["settings"]["max_tokens"] == 7


async def test_settings_stay_where_the_client_has_no_such_section(client: Client) -> None:
    """As in Emacs' eglot, which says at once that something changed, and then knows of nothing."""
    await initialize_with_configuration(client)
    client.notify("workspace/didChangeConfiguration", {"settings": {}})
    await asyncio.sleep(0)
    client.send({"jsonrpc": "2.0", "id": client.received[-1]["id"], "result": [None]})
    await asyncio.sleep(0)
    assert (await client.status())["settings"]["debounce"] == 0


async def test_a_client_that_cannot_be_asked_resets_its_settings(client: Client) -> None:
    await client.initialize(max_tokens=7)
    client.notify("workspace/didChangeConfiguration", {"settings": {}})
    assert (await client.status())["settings"]["max_tokens"] == 96


async def test_without_a_model_it_says_so_once_and_starts_when_the_model_arrives(tmp_path: Path) -> None:
    engine, home = FakeEngine(lambda request: ["completed()"]), tmp_path / "home"
    client = Client(home, engine, model="qwen2.5-coder-1.5b")
    await client.initialize()
    client.open("a = \n")
    assert await client.texts(0, 4) == []
    assert await client.declined() == "no_model"
    await client.server.session.follow()
    (message,) = client.notified("window/showMessage")
    assert "nightschool model get qwen2.5-coder-1.5b" in message["message"]
    (home / "models").mkdir(parents=True, exist_ok=True)
    model_in(home).rename(home / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")
    await client.server.session.follow()
    assert await client.texts(0, 4) == ["completed()"]
    await client.server.close()


async def test_the_same_text_is_offered_as_a_menu_item_where_asked_for(client: Client) -> None:
    result = await client.initialize(completion_items=True)
    assert result["capabilities"]["completionProvider"] == {}
    client.open("value = comp\n")
    client.engine.says = lambda request: ["leted()"]
    params = {"textDocument": {"uri": URI}, "position": position(0, 12)}
    (item,) = await client.request("textDocument/completion", params)
    assert item["textEdit"]["newText"] == item["filterText"] == "completed()"
    assert item["textEdit"]["range"] == {"start": position(0, 8), "end": position(0, 12)}


async def test_menu_items_are_off_by_default(client: Client) -> None:
    await client.initialize()
    client.open("value = \n")
    params = {"textDocument": {"uri": URI}, "position": position(0, 8)}
    assert await client.request("textDocument/completion", params) == []


@pytest.mark.parametrize("text", ["x = 1\n" * (LARGEST_DOCUMENT // 5), "x" * (LONGEST_LINE + 1)])
async def test_a_huge_text_is_kept_but_not_completed(client: Client, text: str) -> None:
    await client.initialize()
    client.open(text)
    client.type(0, 1, "y")
    assert await client.texts(0, 2) == []
    assert await client.declined() == "too_large"
    assert client.text() == text[0] + "y" + text[1:]


@pytest.mark.parametrize("text", ["\0\0a = ", "\tמשתנה = ", "\ud800 = ", "a\r\r\nb = "])
async def test_odd_text_is_completed(client: Client, text: str) -> None:
    await client.initialize(encoding="utf-32")
    client.open(text)
    lines = text.replace("\r\r\n", "\n\n").split("\n")
    assert await client.texts(len(lines) - 1, len(lines[-1])) == ["completed()"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"null", b'{"method": 3}', b'{"id": {}, "method": "x"}', b"[" * 100_000]
)
async def test_what_is_no_message_is_survived(client: Client, body: bytes) -> None:
    await client.initialize()
    client._connection.receive(body)
    client.open("a = \n")
    assert await client.texts(0, 4) == ["completed()"]


async def test_a_byte_that_is_no_utf8_costs_a_character(client: Client) -> None:
    await client.initialize()
    item = {"uri": URI, "languageId": "python", "version": 1, "text": "a?"}
    body = json.dumps({"method": "textDocument/didOpen", "params": {"textDocument": item}}).encode()
    client._connection.receive(body.replace(b"a?", b"a\xff"))
    assert client.text() == "a\ufffd"


async def test_unknown_methods_and_commands_get_an_error(client: Client) -> None:
    await client.initialize()
    unknown = await client.answer(client.ask("textDocument/hover", {}))
    command = await client.answer(client.ask("workspace/executeCommand", {"command": "rm"}))
    assert (unknown["error"]["code"], command["error"]["code"]) == (-32601, -32602)


async def test_the_log_never_holds_source_text(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    await client.initialize()
    client.open("password = \n")
    client.notify("textDocument/didChange", {"textDocument": {"uri": URI}, "contentChanges": ["hunter2"]})
    client.notify("textDocument/didChange", {"textDocument": {"uri": "hunter2"}})
    client.engine.failure = "gone"
    await client.texts(0, 11)
    assert "hunter2" not in caplog.text and "password" not in caplog.text


async def test_shutdown_before_exit_is_a_clean_end(client: Client) -> None:
    await client.initialize()
    assert client.server.exit_code == 1
    assert await client.request("shutdown", None) is None
    client.notify("exit", None)
    assert client.server.ended.is_set() and client.server.exit_code == 0
