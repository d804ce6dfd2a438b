"""One completion: who answers, who gives way, and what is remembered of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from in_process import URI, position

from learner.facts import Event, EventKind, Horizon, Offered, Served, Settlement
from lsp_server.idle import QUIET_S
from models.engine import EngineState, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_engine import FakeEngine
    from in_process import Client

    from models.engine import Request


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until ``condition`` holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the condition lies in objects that know of no event
            await asyncio.sleep(0)


def offered(client: Client) -> list[Offered]:
    return [fact for fact in client.facts if isinstance(fact, Offered)]


async def test_an_offer_carries_its_range_and_the_command_that_reports_its_acceptance(client: Client) -> None:
    await client.initialize()
    client.open("value = \n")
    (item,) = await client.ghost(0, 8)
    assert item["insertText"] == "completed()"
    assert item["range"] == {"start": position(0, 8), "end": position(0, 8)}
    assert item["command"]["command"] == "nightschool.accepted"
    (fact,) = offered(client)
    assert item["command"]["arguments"] == [fact.offer_id]
    assert (fact.text, fact.line, fact.column, fact.declined, fact.served) == (
        "completed()",
        0,
        8,
        None,
        Served.MODEL,
    )


async def test_typing_what_the_ghost_text_says_asks_nobody_and_keeps_the_offer(
    client: Client, engine: FakeEngine
) -> None:
    await client.initialize()
    client.open("value = \n")
    (first,) = await client.ghost(0, 8)
    engine.hold()
    for typed, character in enumerate("compl"):
        client.type(0, 8 + typed, character)
        (item,) = await client.ghost(0, 9 + typed)
        assert item["insertText"] == "completed()"[typed + 1 :]
        assert item["command"] == first["command"]
    assert len(engine.completed) == 1
    assert len(offered(client)) == 1
    engine.release()


async def test_typing_through_works_across_crlf_line_ends(client: Client, engine: FakeEngine) -> None:
    engine.says = lambda request: ["    return 1\n    # done\n"]
    await client.initialize()
    client.open("def f():\r\n\r\n\r\nx = 1\r\n")
    client.type(1, 0, "    ")
    engine.says = lambda request: ["first()\n    second()"]
    assert await client.texts(1, 4) == ["first()\n    second()"]
    client.type(1, 4, "first()\r\n    ")
    assert await client.texts(2, 4) == ["second()"]


async def test_a_newer_request_empties_the_older_one_at_once(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = \nb = \n")
    engine.hold()
    older = client.ask_ghost(0, 4)
    await until(lambda: engine.completed)
    newer = client.ask_ghost(1, 4)
    assert (await client.answer(older))["result"] == []
    await until(lambda: engine.stopped >= 1)
    engine.release()
    assert (await client.answer(newer))["result"][0]["insertText"] == "completed()"


async def test_typing_on_frees_the_engine(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = \n")
    engine.hold()
    asked = client.ask_ghost(0, 4)
    await until(lambda: engine.completed)
    client.type(0, 4, "x")
    assert (await client.answer(asked))["result"] == []
    await until(lambda: not engine.running)
    engine.release()


async def test_cancelling_a_request_stops_the_engine(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = \n")
    engine.hold()
    asked = client.ask_ghost(0, 4)
    await until(lambda: engine.completed)
    client.notify("$/cancelRequest", {"id": asked})
    assert (await client.answer(asked))["error"]["code"] == -32800
    await until(lambda: not engine.running)
    engine.release()


async def test_the_same_text_is_not_asked_twice_even_where_nothing_came_of_it(
    client: Client, engine: FakeEngine
) -> None:
    engine.says = lambda request: ["   "]
    await client.initialize()
    client.open("a = \n")
    assert await client.texts(0, 4) == []
    why = await client.declined()
    assert await client.texts(0, 4) == []
    assert await client.declined() == why
    assert len(engine.completed) == 1
    assert [fact.declined for fact in offered(client)] == [why]


async def test_what_follows_an_acceptance_is_there_when_it_is_accepted(
    client: Client, engine: FakeEngine
) -> None:
    engine.says = lambda request: ["first(" if request.purpose is Purpose.COMPLETE else "second"]
    await client.initialize()
    client.open("a = \n")
    assert await client.texts(0, 4) == ["first("]
    await until(lambda: any(request.purpose is Purpose.PREFETCH for request in engine.requests))
    client.type(0, 4, "first(")
    assert await client.texts(0, 10) == ["second"]
    assert len(engine.completed) == 1
    assert [fact.served for fact in offered(client)] == [Served.MODEL, Served.PREFETCH]


async def test_a_request_joins_the_prefetch_of_its_own_text(client: Client, engine: FakeEngine) -> None:
    engine.says = lambda request: ["first(" if request.purpose is Purpose.COMPLETE else "second"]
    await client.initialize()
    client.open("a = \n")
    assert await client.texts(0, 4) == ["first("]
    engine.hold()
    await until(lambda: any(request.purpose is Purpose.PREFETCH for request in engine.requests))
    client.type(0, 4, "first(")
    asked = client.ask_ghost(0, 10)
    engine.release()
    assert [item["insertText"] for item in (await client.answer(asked))["result"]] == ["second"]
    assert len(engine.completed) == 1


async def test_asked_by_hand_several_distinct_candidates_are_offered(
    client: Client, engine: FakeEngine
) -> None:
    engine.says = lambda request: ["one()", "two()", "one()"]
    await client.initialize()
    client.open("a = \n")
    items = await client.ghost(0, 4, invoked=True)
    assert [item["insertText"] for item in items] == ["one()", "two()"]
    assert engine.completed[-1].candidates == 3
    assert len({item["command"]["arguments"][0] for item in items}) == 2


async def test_the_menus_selected_item_is_continued_in_its_own_range(
    client: Client, engine: FakeEngine
) -> None:
    engine.says = lambda request: ["(x)"] if request.prompt.prefix.endswith("os.getcwd") else ["?"]
    await client.initialize()
    client.open("os.get\n")
    span = {"start": position(0, 3), "end": position(0, 6)}
    (item,) = await client.ghost(0, 6, menu={"range": span, "text": "getcwd"})
    assert (item["insertText"], item["range"]) == ("getcwd(x)", span)
    assert (offered(client)[0].text, offered(client)[0].column) == ("cwd(x)", 6)


async def test_a_menu_that_has_nothing_to_do_with_the_cursor_is_declined(client: Client) -> None:
    await client.initialize()
    client.open("os.get\n\n")
    span = {"start": position(1, 0), "end": position(1, 0)}
    assert await client.texts(0, 6, menu={"range": span, "text": "getcwd"}) == []
    assert await client.declined() == "contradicts_menu"


async def test_rejected_ghost_text_does_not_come_back_by_itself(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    (item,) = await client.ghost(0, 4)
    client.notify("nightschool/didReject", {"offerIds": item["command"]["arguments"]})
    assert await client.texts(0, 4) == []
    assert await client.declined() == "rejected"
    assert await client.texts(0, 4, invoked=True) == ["completed()"]


async def test_what_was_accepted_and_deleted_is_not_offered_again(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    (item,) = await client.ghost(0, 4)
    client.type(0, 4, "completed()")
    await client.command("nightschool.accepted", *item["command"]["arguments"])
    client.edit((0, 4), (0, 15), "")
    assert await client.texts(0, 4) == []
    assert await client.declined() == "rejected"
    accepts = [fact for fact in client.facts if isinstance(fact, Event) and fact.kind is EventKind.ACCEPTED]
    assert len(accepts) == 1


async def test_an_engine_that_fails_costs_the_ghost_text_and_nothing_else(
    client: Client, engine: FakeEngine
) -> None:
    await client.initialize()
    client.open("a = \n")
    engine.failure = "the engine process ended (signal 9)"
    assert await client.texts(0, 4) == []
    assert await client.declined() == "engine_failed"
    engine.failure = None
    assert await client.texts(0, 4) == ["completed()"]


async def test_a_failing_engine_is_explained_once(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("")
    await client.texts(0, 0)
    for _ in range(3):
        engine.say(EngineState.FAILED, "model x.gguf is truncated; get it again")
    assert len(client.notified("window/showMessage")) == 1
    assert client.notified("nightschool/status")[-1]["state"] == "error"


async def test_a_block_is_asked_for_only_where_lines_may_be_many(client: Client, engine: FakeEngine) -> None:
    await client.initialize(multi_line=False)
    client.open("def f():\n    \n")
    await client.texts(1, 4)
    assert engine.completed[-1].stop == "line"
    client.notify("workspace/didChangeConfiguration", {"settings": {"debounce": 0}})
    await client.texts(1, 4)
    assert engine.completed[-1].stop == "block"


async def test_opening_a_file_warms_the_engine(client: Client, engine: FakeEngine) -> None:
    await client.initialize()
    client.open("a = 1\n")
    await until(lambda: [request.purpose for request in engine.requests] == [Purpose.WARM])


async def test_the_prompt_is_warmed_when_the_developer_pauses(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert QUIET_S > 1
    monkeypatch.setattr("lsp_server.session.QUIET_S", 0.0)
    await client.initialize()
    client.open("a = 1\n")
    await until(lambda: engine.requests)
    client.type(1, 0, "b = 2")
    await until(lambda: len(engine.requests) == 2)
    assert engine.requests[-1].purpose is Purpose.WARM
    assert engine.requests[-1].prompt.prefix == "a = 1\nb = 2"


async def test_a_closed_document_is_not_completed(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await client.texts(0, 4) == []


async def test_an_answer_from_the_near_prompt_is_recorded_with_it(client: Client, engine: FakeEngine) -> None:
    engine.is_behind = True
    await client.initialize()
    client.open("".join(f"value_{row} = {row}\n" for row in range(60)))
    assert await client.texts(60, 0) == ["completed()"]
    (fact,) = offered(client)
    assert fact.prompt is engine.completed[0].near
    assert len(fact.prompt.prefix) < len(engine.completed[0].prompt.prefix)


async def test_an_engine_that_is_behind_catches_up_after_the_prefetch(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_server.idle.PAUSE_S", 0.0)
    engine.is_behind = True
    await client.initialize()
    client.open("a = \n")
    await until(lambda: engine.requests)
    await client.texts(0, 4)
    await until(lambda: len(engine.requests) == 4)
    assert [request.purpose for request in engine.requests] == [
        Purpose.WARM,
        Purpose.COMPLETE,
        Purpose.PREFETCH,
        Purpose.WARM,
    ]
    assert engine.requests[-1].prompt == engine.completed[0].prompt
    engine.is_behind = False
    client.type(0, 4, "x")
    await client.texts(0, 5)
    assert not client.server.session._idle.is_behind


@pytest.mark.parametrize(
    ("said", "typed", "closed", "rest"),
    [
        ("first(second)", "first(", ")", "second"),
        ("first(second)", "first(sec", ")", "ond"),
        ("names['key'] = 1", "names['", "']", "key"),
        ("first((1, 2))", "first(", ")", "(1, 2)"),
        ('say("a) b")', "say(", ")", '"a) b"'),
        ("first(second) + 1", "first(second)", "", " + 1"),
    ],
)
async def test_a_bracket_that_the_editor_closes_does_not_end_typing_through(
    client: Client, engine: FakeEngine, said: str, typed: str, closed: str, rest: str
) -> None:
    engine.says = lambda request: [said]
    await client.initialize()
    client.open("a = \n")
    (first,) = await client.ghost(0, 4)
    client.type(0, 4, typed + closed)
    (item,) = await client.ghost(0, 4 + len(typed))
    assert (item["insertText"], item["command"]) == (rest, first["command"])
    assert len(engine.completed) == 1


async def test_a_closing_bracket_that_the_prediction_lacks_asks_the_engine(
    client: Client, engine: FakeEngine
) -> None:
    engine.says = lambda request: ["first[0]"]
    await client.initialize()
    client.open("a = \n")
    await client.texts(0, 4)
    client.type(0, 4, "first)")
    await client.texts(0, 9)
    assert len(engine.completed) == 2


@pytest.mark.parametrize(
    ("line", "said", "below"), [("    a = ", "b", "    c = 1"), ("    if ", "a:", "        return b")]
)
async def test_what_follows_enter_after_a_full_line_is_prefetched(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, line: str, said: str, below: str
) -> None:
    monkeypatch.setattr("lsp_server.idle.PAUSE_S", 0.0)
    indent = below[: len(below) - len(below.lstrip())]

    def says(request: Request) -> list[str]:
        if request.prompt.prefix.endswith(line):
            return [said]
        return [below.strip()] if request.prompt.prefix.endswith(f"{said}\n{indent}") else [""]

    engine.says = says
    await client.initialize()
    client.open(f"def f():\n{line}\n")
    assert await client.texts(1, len(line)) == [said]
    await until(lambda: sum(request.purpose is Purpose.PREFETCH for request in engine.requests) == 2)
    client.type(1, len(line), said)
    assert await client.texts(1, len(line) + len(said)) == []
    client.type(1, len(line) + len(said), f"\n{indent}")
    assert await client.texts(2, len(indent)) == [below.strip()]
    assert len(engine.completed) == 1


async def test_what_time_has_settled_is_not_touched_by_what_comes_later(client: Client) -> None:
    await client.initialize()
    client.open("a = \n")
    (item,) = await client.ghost(0, 4)
    client.type(0, 4, item["insertText"])
    client.clock.seconds += 11
    client.edit((0, 4), (0, 15), "other")
    (settled,) = [fact for fact in client.facts if isinstance(fact, Settlement)]
    assert (settled.horizon, settled.text) == (Horizon.S10, "completed()")
