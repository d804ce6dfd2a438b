"""Forgetting: what was chosen, and all that came from it, is gone from the file's very bytes."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from fact_builders import NOON, event, offered, session, settlement

from learner.contexts import read_prompt
from learner.facts import EventKind
from learner.forget import Choice, chosen_offers, forget
from learner.ledger import Ledger
from learner.ledger_file import connect, integrity, transaction
from models.engine import Candidate
from models.prompt import Chunk, Prompt

CHOICES = {
    "file by path": Choice(file="/project/sub/z.py"),
    "file by address": Choice(file="file:///project/sub/z.py"),
    "repository": Choice(repository=Path("/project/sub")),
    "time": Choice(since=NOON + 50),
    "text of the offer": Choice(matching="offeredzebra"),
    "text of a candidate": Choice(matching="candidatezebra"),
    "text that it became": Choice(matching="settledzebra"),
    "text above": Choice(matching="abovezebra"),
    "text in another file": Choice(matching="chunkzebra"),
    "text across the cursor": Choice(matching="lineoffered"),
    "two conditions": Choice(file="/project/sub/z.py", since=NOON + 50),
    "everything": Choice(everything=True),
}


@pytest.fixture
def path(ledger_path: Path) -> Path:
    """One offer to forget, one to keep; they share the piece of a chunk."""
    ledger = Ledger.open(ledger_path, on_trouble=pytest.fail, clock=lambda: NOON)
    ledger.record(session("kept session"))
    ledger.record(offered("kept", session_id="kept session", text="keep me"))
    record_zebra(ledger)
    assert ledger.close()
    return ledger_path


def record_zebra(ledger: Ledger) -> None:
    ledger.record(session("zebra session"))
    ledger.record(
        offered(
            "zebra",
            session_id="zebra session",
            offered_at=NOON + 60,
            uri="file:///project/sub/z.py",
            model="e" * 64,
            text="offeredzebra()",
            candidates=(Candidate("candidatezebra", (-0.5,), "newline"),),
            prompt=Prompt(
                "abovezebra\nline",
                "\nbelowzebra\n",
                "z.py",
                "project",
                (Chunk("b.py", "x = 1\n"), Chunk("c.py", "chunkzebra\n")),
            ),
        )
    )
    ledger.record(event(EventKind.DIVERGED, offer_id="zebra", length=3))
    ledger.record(settlement("settledzebra()", offer_id="zebra"))


def forget_by(path: Path, choice: Choice) -> int:
    connection = connect(path)
    try:
        offers = chosen_offers(connection, choice)
        forget(connection, offers)
        return len(offers)
    finally:
        connection.close()


def zebra_bytes(path: Path) -> list[tuple[str, bytes]]:
    """Return where a trace of the offer still is, compressed text included."""
    traces = [b"zebra", b"e" * 64]
    # As the ledger compresses a piece of text.
    for piece in ("abovezebra\n", "\nbelowzebra\n", "chunkzebra\n"):
        packer = zlib.compressobj(wbits=12, memLevel=5)
        traces.append(packer.compress(piece.encode()) + packer.flush())
    files = [file for file in path.parent.iterdir() if not file.name.endswith("-shm")]
    return [(file.name, trace) for file in files for trace in traces if trace in file.read_bytes()]


def test_the_traces_that_these_tests_look_for_are_there_before(path: Path) -> None:
    assert len(zebra_bytes(path)) >= 3


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_what_is_chosen_is_gone_with_all_that_came_from_it(path: Path, choice: Choice) -> None:
    kept = 0 if choice.everything else 1
    assert forget_by(path, choice) == 2 - kept
    assert zebra_bytes(path) == []
    connection = connect(path)
    for table in ("sessions", "offers", "candidates", "verdicts", "totals", "files", "engines", "contexts"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (kept,), table
    for table in ("events", "settlements"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert connection.execute("SELECT total(offered) FROM daily").fetchone() == (kept,)
    assert connection.execute("SELECT group_concat(offer_id) FROM outcomes").fetchone() == (
        "kept" if kept else None,
    )
    connection.close()
    assert integrity(path) == []


def test_the_file_shrinks(ledger: Ledger, ledger_path: Path) -> None:
    for number in range(50):
        prompt = Prompt("".join(f"{number * line * 7919}\n" for line in range(300)), "\n")
        ledger.record(offered(f"o{number}", prompt=prompt))
    assert ledger.flush()
    assert forget_by(ledger_path, Choice(everything=True)) == 50
    connection = connect(ledger_path)
    assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    connection.close()


def test_what_does_not_match_is_left_alone(path: Path) -> None:
    choices = [Choice(file="/project/z.py"), Choice(repository=Path("/project/su")), Choice(since=NOON + 61),
               Choice(matching="no such text"), Choice(matching="zebra", file="/project/a.py")]  # fmt: skip
    for choice in choices:
        assert forget_by(path, choice) == 0, choice


def test_one_must_say_what_to_forget() -> None:
    with pytest.raises(ValueError, match="say what to forget"):
        Choice()
    with pytest.raises(ValueError, match="--all alone"):
        Choice(file="a.py", everything=True)


SERVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fact_builders import offered
from test_forget import record_zebra
from learner.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]), on_trouble=lambda message: sys.exit(message))
record_zebra(ledger)
ledger.record(offered("earlier"))
assert ledger.flush()
print("recorded", flush=True)
sys.stdin.readline()
ledger.record(offered("later"))
assert ledger.close()
"""


def test_a_running_server_goes_on_recording_after_its_facts_were_forgotten(ledger_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(ledger_path), str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "recorded\n"
        assert forget_by(ledger_path, Choice(everything=True)) == 2
        assert zebra_bytes(ledger_path) == []
        server.communicate("go on\n", timeout=60)
    finally:
        server.kill()
    assert server.returncode == 0
    connection = connect(ledger_path)
    assert connection.execute("SELECT offer_id, label FROM outcomes").fetchall() == [("later", "unseen")]
    # The pieces that it remembered having written are written again.
    assert read_prompt(connection, 1) == offered().prompt
    connection.close()


def test_a_reader_that_never_ends_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learner.forget.ATTEMPTS", 2)
    monkeypatch.setattr("learner.forget.PAUSE_S", 0.0)
    reader = connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM offers").fetchone()
    connection = connect(path, busy_timeout_s=0.01)
    offers = chosen_offers(connection, Choice(matching="zebra"))
    with pytest.raises(Exception, match="another program is reading the ledger"):
        forget(connection, offers)
    reader.execute("ROLLBACK")
    reader.close()
    # Run again, it finishes.
    forget(connection, offers)
    connection.close()
    assert zebra_bytes(path) == []


def test_a_session_that_began_during_forgetting_stays(path: Path) -> None:
    connection = connect(path)
    with transaction(connection):
        connection.execute("INSERT INTO sessions VALUES ('just begun', 0, 'editor', '0.1', 1)")
    forget(connection, chosen_offers(connection, Choice(everything=True)))
    assert connection.execute("SELECT session_id FROM sessions").fetchall() == [("just begun",)]
    connection.close()
