"""The memory through the whole server: what was corrected once is right at the next like place."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from fake_engine import FakeEngine
from in_process import Client

from learner.facts import Offered, Served
from learner.privacy import PrivacyFilter
from lsp_server.context import Context
from lsp_server.documents import Point, Workspace
from models.prompt import Chunk

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

A, B = "file:///project/a.py", "file:///project/b.py"
ORDERS = "def load_orders(session):\n    log = bind(area='orders')\n    result = \n"
USERS = "def load_users(session):\n    log = bind(area='users')\n    result = \n"
WRONG, RIGHT = "session.query(Order)", "session.fetch_all(Order)"
END = len("    result = ")


async def remembered(client: Client) -> None:
    """Let time settle what was written, and wait until that is learned."""
    client.clock.seconds += 12
    session = client.server.session
    session._look_at_offers()
    memory = session._memory._memory
    assert memory is not None
    assert await asyncio.to_thread(memory.flush, 20)


async def correct_once(client: Client) -> None:
    """Be offered something wrong and type what is right instead, key by key."""
    client.open(ORDERS, A)
    assert await client.texts(2, END, uri=A) == [WRONG]
    client.clock.seconds += 1
    for count, key in enumerate(RIGHT):
        client.type(2, END + count, key, A)
    await remembered(client)


def offers(client: Client) -> list[Offered]:
    return [fact for fact in client.facts if isinstance(fact, Offered)]


async def test_a_correction_made_once_is_right_at_the_next_like_place(client: Client, engine: FakeEngine):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    asked = len(engine.completed)
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [RIGHT]
    assert len(engine.completed) == asked
    offer = offers(client)[-1]
    assert (offer.served, offer.model, offer.adapter, offer.text) == (Served.MEMORY, "memory", None, RIGHT)
    assert offer.prompt.prefix.endswith("result = ")
    assert (await client.status())["last_completion"]["served"] == "memory"


async def test_what_was_offered_before_memory_knew_better_is_not_offered_again(
    client: Client, engine: FakeEngine
):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [WRONG]
    await correct_once(client)
    assert await client.texts(2, END, uri=B) == [RIGHT]
    again = offers(client)[-1].offer_id
    assert await client.texts(2, END, uri=B) == [RIGHT]
    assert offers(client)[-1].offer_id == again


async def test_where_something_was_rejected_memory_offers_nothing_else(client: Client, engine: FakeEngine):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [WRONG]
    client.notify("nightschool/didReject", {"offerIds": [offers(client)[-1].offer_id]})
    await correct_once(client)
    assert await client.texts(2, END, uri=B) == []
    assert await client.declined() == "rejected"


async def test_what_is_typed_along_is_still_offered_from_memory(client: Client, engine: FakeEngine):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [RIGHT]
    client.type(2, END, "s", B)
    assert await client.texts(2, END + 1, uri=B) == [RIGHT[1:]]


async def test_what_memory_knows_but_is_not_trusted_with_is_a_draft_for_the_engine(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    assert engine.completed[-1].draft == ""
    memory = client.server.session._memory._memory
    assert memory is not None
    monkeypatch.setattr(memory, "believes", lambda found: False)
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [WRONG]
    assert engine.completed[-1].draft == RIGHT


async def test_the_gate_is_told_how_often_memory_knows_an_offer(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    told: list[int] = []
    session = client.server.session
    monkeypatch.setattr(session._gatekeeper, "hides", lambda offer, *_: told.append(offer.support))
    monkeypatch.setattr(session._memory, "rival", lambda *arguments: None)
    client.open(USERS, B)
    engine.says = lambda request: [RIGHT]
    await client.texts(2, END, uri=B)
    client.open(USERS + "\n", B)
    engine.says = lambda request: [WRONG]
    await client.texts(2, END, uri=B)
    assert told == [1, 0]
    assert [fact.support for fact in offers(client)[-2:]] == [1, 0]


async def test_the_gate_judges_what_memory_offers_by_the_rules_own_probability(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    judged: list[Offered] = []

    def hides(offer: Offered, *_: object) -> bool:
        judged.append(offer)
        return True

    monkeypatch.setattr(client.server.session._gatekeeper, "hides", hides)
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == []
    assert await client.declined() == "hidden"
    (offer,) = judged
    (candidate,) = offer.candidates
    assert (offer.served, offer.support, candidate.text, candidate.stopped_by) == (
        Served.MEMORY, 1, RIGHT, "memory"
    )  # fmt: skip
    assert 0.5 <= math.exp(candidate.logprobs[0]) < 1
    assert offers(client)[-1].declined == "hidden"


async def test_by_hand_the_model_is_asked(client: Client, engine: FakeEngine):
    engine.says = lambda request: [WRONG]
    await client.initialize()
    await correct_once(client)
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B, invoked=True) == [WRONG]


async def test_without_memory_nothing_is_learned(client: Client, engine: FakeEngine, tmp_path: Path):
    engine.says = lambda request: [WRONG]
    await client.initialize(memory=False)
    client.open(ORDERS, A)
    assert await client.texts(2, END, uri=A) == [WRONG]
    for count, key in enumerate(RIGHT):
        client.type(2, END + count, key, A)
    client.clock.seconds += 12
    client.open(USERS, B)
    assert await client.texts(2, END, uri=B) == [WRONG]
    assert not (tmp_path / "home" / "memory.db").exists()


async def test_what_was_rejected_here_is_not_offered_here_after_a_restart(tmp_path: Path):
    engine = FakeEngine(lambda request: [WRONG])
    client = Client(tmp_path / "home", engine)
    await client.initialize()
    client.open(ORDERS, A)
    items = await client.ghost(2, END, uri=A)
    client.notify("nightschool/didReject", {"offerIds": [items[0]["command"]["arguments"][0]]})
    await remembered(client)
    await client.server.close()

    again = Client(tmp_path / "home", FakeEngine(lambda request: [WRONG]))
    await again.initialize()
    await remembered(again)
    again.open("import x\n" + ORDERS, A)
    assert await again.texts(3, END, uri=A) == []
    assert await again.declined() == "rejected"
    again.open(USERS, B)
    assert await again.texts(2, END, uri=B) == [WRONG]
    await again.server.close()


async def test_a_damaged_memory_stops_nothing_and_is_told_once(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "memory.db").write_bytes(b"no database" * 1000)
    client = Client(home, FakeEngine(lambda request: [WRONG]))
    await client.initialize()
    await correct_once(client)
    told = [each["message"] for each in client.notified("window/showMessage")]
    assert [message for message in told if "memory.db is damaged" in message] == told
    assert len(told) == 1
    await client.server.close()


async def test_what_is_remembered_is_a_piece_of_the_prompt_that_stays(tmp_path: Path):
    chunks: list[Chunk | None] = [Chunk("a.py", "result = session.fetch_all(Order)\n")]
    workspace = Workspace()
    document = workspace.open(A, USERS, "python", 1)
    context = Context(workspace, PrivacyFilter(()), remembered=lambda document, point: chunks[0])
    assert await context.refresh(document, Point(2, END))
    assert context.prompt(document, Point(2, END)).chunks == (chunks[0],)
    point = Point(2, END)
    context.note_edit(document, document.replace(point, point, "s"))
    assert not await context.refresh(document, Point(2, END + 1))
    assert context.prompt(document, Point(2, END + 1)).chunks == (chunks[0],)
    context.close()


async def test_no_keystroke_waits_for_the_memorys_disk(
    client: Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    """Whatever reads or writes the file does so on the memory's own thread."""
    import threading

    from learner.memory import keeper

    threads: set[str] = set()
    connect = keeper.connect

    def watched(*arguments: Any) -> Any:
        threads.add(threading.current_thread().name)
        return connect(*arguments)

    monkeypatch.setattr(keeper, "connect", watched)
    await client.initialize()
    await correct_once_or_any(client)
    assert threads == {"memory"}


async def correct_once_or_any(client: Client) -> None:
    client.open(ORDERS, A)
    await client.texts(2, END, uri=A)
    await remembered(client)
