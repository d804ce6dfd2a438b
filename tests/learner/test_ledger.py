"""The ledger through real SQLite: what goes in comes out, whatever the file, the disk or the clock do."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fact_builders import NOON, event, offered, session, settlement
from hypothesis import given, settings
from hypothesis import strategies as st

from learner import derived, schema
from learner.contexts import ContextStore, cut, read_prompt
from learner.facts import EventKind, Horizon, KnownBy
from learner.facts_read import read_course, read_offer, read_sessions
from learner.ledger import Ledger
from learner.ledger_file import connect, integrity, set_aside, set_aside_files
from learner.privacy import PrivacyFilter
from learner.recovery import recover
from learner.retention import Retention, enforce
from models.prompt import Chunk, Prompt

TAKEN = (event(EventKind.ACCEPTED, KnownBy.EXPLICIT), settlement(horizon=Horizon.S30))


def outcomes(path: Path) -> dict[str, str]:
    connection = connect(path)
    try:
        return dict(connection.execute("SELECT offer_id, label FROM outcomes"))
    finally:
        connection.close()


def test_facts_come_back_as_they_were_recorded(ledger: Ledger, ledger_path: Path) -> None:
    for fact in (session(), offered(), *TAKEN):
        ledger.record(fact)
    assert ledger.flush()
    connection = connect(ledger_path)
    assert list(read_sessions(connection)) == [session()]
    assert read_offer(connection, 1) == offered()
    assert read_course(connection, 1, "o1") == list(TAKEN)
    assert integrity(ledger_path) == []


def test_the_file_is_its_owners_alone(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(session())
    assert ledger.flush()
    assert stat.S_IMODE(ledger_path.parent.stat().st_mode) == 0o700
    for file in ledger_path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_silent_prediction_is_kept_but_is_no_outcome(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered("silent", declined="empty"))
    ledger.record(offered("hidden", declined="hidden"))
    assert ledger.flush()
    assert outcomes(ledger_path) == {"hidden": "hidden"}
    assert connect(ledger_path).execute("SELECT count(*) FROM offers").fetchone() == (2,)


def test_an_accept_of_an_unknown_offer_is_left_out(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT, "never offered"))
    ledger.record(offered())
    assert ledger.flush()
    assert outcomes(ledger_path) == {"o1": "unseen"}


def test_a_clock_that_jumps_back_does_not_change_the_order_of_what_happened(
    ledger: Ledger, ledger_path: Path
) -> None:
    for fact in (offered(), *TAKEN, replace(event(EventKind.UNDONE), at=NOON - 86_400)):
        ledger.record(fact)
    assert ledger.flush()
    assert outcomes(ledger_path) == {"o1": "rejected"}


def test_half_a_surrogate_pair_stops_nothing(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered(text="x = '\ud83d'", prompt=Prompt("a\n\ud83d", "\n")))
    assert ledger.flush()
    assert outcomes(ledger_path) == {"o1": "unseen"}


def test_two_servers_write_one_file(ledger: Ledger, ledger_path: Path) -> None:
    other = Ledger.open(ledger_path, on_trouble=pytest.fail)
    for number in range(200):
        ledger.record(offered(f"a{number}"))
        other.record(offered(f"b{number}"))
    assert ledger.flush() and other.close()
    assert len(outcomes(ledger_path)) == 400


lines = st.lists(st.sampled_from(["", "a", "    b = 1", "ü", "\r", "x\x0cy", "\u2028"]), max_size=60)
texts = lines.map("\n".join)


@settings(deadline=None)
@given(texts, texts, texts)
def test_every_prompt_comes_back_exactly(prefix: str, suffix: str, chunk: str) -> None:
    assert "".join(cut(prefix)) == prefix
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection)
    prompt = Prompt(prefix, suffix, "a.py", "r", (Chunk("b.py", chunk),))
    context, before, after = ContextStore(connection, PrivacyFilter(())).put(prompt)
    connection.execute(
        "INSERT INTO offers VALUES (1, 'o', 's', 0, 1, 1, 0, 0, '', 0, ?, ?, ?, NULL, 0, 'model', 0, 0)",
        (context, before, after),
    )
    assert read_prompt(connection, 1) == prompt


def test_typing_along_a_line_adds_no_piece() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection)
    store = ContextStore(connection, PrivacyFilter(()))
    above = "".join(f"line {n}\n" for n in range(100))
    store.put(Prompt(above, "\nbelow\n"))
    before = connection.execute("SELECT count(*) FROM pieces").fetchone()
    for typed in ("d", "de", "def"):
        store.put(Prompt(above + typed, "\nbelow\n"))
    assert connection.execute("SELECT count(*) FROM pieces").fetchone() == before


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_with_its_rows(ledger_path: Path) -> None:
    """A file as the first migration made it, filled by hand; no view and no derived table is there."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    ledger_path.parent.mkdir()
    old = sqlite3.connect(ledger_path, isolation_level=None)
    migrations = Migrations(schema.MIGRATION_SET)
    migrations()(schema.m001_facts)
    migrations.apply(Database(old))
    for statement in (
        "INSERT INTO sessions VALUES ('s', 0, 'editor', '0.1', 1)",
        "INSERT INTO files VALUES (1, 'file:///a.py', '', 'python')",
        "INSERT INTO engines VALUES (1, 'm', NULL, 'psm-1')",
        "INSERT INTO contexts VALUES (1, x'00', 'a.py', '', '{\"above\":[],\"below\":[],\"chunks\":[]}')",
        "INSERT INTO offers VALUES (1, 'o', 's', 0, 1, 1, 0, 0, 'text', 0, 1, '', '', NULL, 0, 'model', 5)",
        "INSERT INTO events (offer, at, kind, known_by, detail) VALUES (1, 1, 'typed', 'inferred', '')",
    ):
        old.execute(statement)
    old.close()
    assert outcomes(ledger_path) == {"o": "typed"}


def test_a_ledger_of_a_newer_version_is_refused_and_left_untouched(ledger_path: Path) -> None:
    connection = connect(ledger_path)
    connection.execute("INSERT INTO _sqlite_migrations VALUES (9, 'ledger', 'm999_future', '')")
    connection.close()
    before = ledger_path.read_bytes()
    troubles: list[str] = []
    ledger = Ledger.open(ledger_path, on_trouble=troubles.append)
    ledger.record(offered())
    assert not ledger.flush()
    ledger.record(offered("o2"))
    ledger.close()
    assert len(troubles) == 1 and "newer Nightschool" in troubles[0]
    assert ledger_path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"this is no database at all" * 100, b""])
def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(ledger_path: Path, damage: bytes) -> None:
    ledger_path.parent.mkdir()
    ledger_path.write_bytes(damage)
    troubles: list[str] = []
    ledger = Ledger.open(ledger_path, on_trouble=troubles.append)
    ledger.record(offered())
    assert ledger.close()
    assert outcomes(ledger_path) == {"o1": "unseen"}
    # An empty file is a new one.
    assert len(troubles) == len(set_aside_files(ledger_path)) == (1 if damage else 0)
    assert all("nightschool doctor" in trouble for trouble in troubles)


def test_what_a_damaged_ledger_holds_is_recovered(ledger_path: Path) -> None:
    ledger = Ledger.open(ledger_path, on_trouble=pytest.fail)
    for number in range(300):
        ledger.record(offered(f"o{number}", prompt=Prompt(f"{number}\n" * 30, "\n")))
        ledger.record(event(EventKind.TYPED, offer_id=f"o{number}"))
    assert ledger.close()
    with ledger_path.open("r+b") as file:
        # Behind the pages with the schema, without which nothing can be read.
        file.seek(ledger_path.stat().st_size // 4096 * 4096 - 4096 * 8)
        file.write(os.urandom(4096 * 4))
    assert integrity(ledger_path)
    set_aside(ledger_path)
    (recovered,) = recover(ledger_path)
    assert recovered.offers > 100 and integrity(ledger_path) == []
    assert len(outcomes(ledger_path)) == recovered.offers
    assert recover(ledger_path) == []


def test_a_deleted_directory_is_made_again(ledger_path: Path) -> None:
    troubles: list[str] = []
    ledger = Ledger.open(ledger_path, on_trouble=troubles.append)
    ledger.record(offered())
    assert ledger.flush()
    for file in ledger_path.parent.iterdir():
        file.unlink()
    ledger_path.parent.rmdir()
    ledger.record(offered("o2"))
    assert ledger.close()
    assert outcomes(ledger_path) == {"o2": "unseen"}
    assert len(troubles) == 1 and "moved or deleted" in troubles[0]


def test_a_directory_that_cannot_be_made_keeps_the_facts_until_it_can(tmp_path: Path) -> None:
    """A file stands where the directory should be: this stops root too, which permissions do not."""
    blocker = tmp_path / "home"
    blocker.write_text("in the way")
    ledger = Ledger.open(blocker / "ledger.db", on_trouble=lambda message: blocker.unlink())
    ledger.record(offered())
    assert ledger.flush()
    assert ledger.close()
    assert outcomes(blocker / "ledger.db") == {"o1": "unseen"}


def test_a_locked_ledger_is_waited_for(ledger_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = connect(ledger_path)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("learner.ledger.connect", lambda path: connect(path, busy_timeout_s=0.01))
    monkeypatch.setattr("learner.ledger.RETRY_S", (0.01,))
    troubles: list[str] = []

    def release(message: str) -> None:
        troubles.append(message)
        other.execute("ROLLBACK")

    ledger = Ledger.open(ledger_path, on_trouble=release)
    ledger.record(offered())
    assert ledger.flush(60) and ledger.close()
    assert outcomes(ledger_path) == {"o1": "unseen"}
    assert len(troubles) == 1 and "locked" in troubles[0]


def test_a_ledger_that_became_read_only_is_written_once_it_no_longer_is(
    ledger_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root; SQLite's own switch gives the same error."""
    monkeypatch.setattr("learner.ledger.RETRY_S", (0.01,))
    mended = threading.Event()

    def connect_read_only(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA query_only = {not mended.is_set()}")
        return connection

    monkeypatch.setattr("learner.ledger.connect", connect_read_only)
    troubles: list[str] = []

    def on_trouble(message: str) -> None:
        troubles.append(message)
        mended.set()

    ledger = Ledger.open(ledger_path, on_trouble=on_trouble)
    ledger.record(offered())
    assert ledger.flush(60) and ledger.close()
    assert outcomes(ledger_path) == {"o1": "unseen"}
    assert len(troubles) == 1 and "readonly" in troubles[0] and "wait in memory" in troubles[0]


def test_a_full_queue_loses_the_newest_tells_once_and_blocks_nobody(
    ledger_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learner.ledger.CAPACITY", 5)
    may_begin = threading.Event()

    class SlowToLoad(PrivacyFilter):
        def load(self) -> None:
            may_begin.wait()

    troubles: list[str] = []
    ledger = Ledger.open(ledger_path, on_trouble=troubles.append, privacy=SlowToLoad(()))
    # This thread also lets the writer begin: were one of these calls to wait, it would wait for ever.
    for number in range(9):
        ledger.record(offered(f"o{number}"))
    assert not ledger.flush(0)
    may_begin.set()
    assert ledger.flush(60) and ledger.close()
    assert set(outcomes(ledger_path)) == {"o0", "o1", "o2", "o3", "o4"}
    assert len(troubles) == 1 and "new ones are lost" in troubles[0]


def test_a_changed_definition_derives_all_labels_anew(
    ledger: Ledger, ledger_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.record(offered())
    ledger.record(event(EventKind.TYPED))
    assert ledger.flush()
    # As an older definition would have judged.
    connect(ledger_path).execute("UPDATE verdicts SET label = 'ignored'")
    assert outcomes(ledger_path) == {"o1": "ignored"}
    monkeypatch.setattr("learner.derived._VERSION", derived._VERSION + 100)
    assert outcomes(ledger_path) == {"o1": "typed"}


FULL_DISK = """
import resource, signal, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from fact_builders import offered
from learner.ledger import Ledger
from models.prompt import Prompt
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, troubles, told = Path(sys.argv[1]), [], threading.Event()
ledger = Ledger.open(path, on_trouble=lambda message: (troubles.append(message), told.set()))
ledger.record(offered("before"))
assert ledger.flush()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
size = path.with_name("ledger.db-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, hard))
for number in range(400):
    ledger.record(offered(f"o{number}", prompt=Prompt(f"{number * 7919}\\n" * 300, "\\n")))
assert told.wait(60), "there was room"
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert ledger.flush(60) and ledger.close()
print(len(troubles), troubles)
"""


def test_a_full_disk_keeps_the_facts_until_there_is_room(ledger_path: Path) -> None:
    """A limit on the size of files makes SQLite's own writes fail, as a full disk does."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(ledger_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 "), done.stdout
    assert len(outcomes(ledger_path)) == 401
    assert integrity(ledger_path) == []


def test_retention_drops_the_oldest_and_what_only_they_needed(ledger: Ledger, ledger_path: Path) -> None:
    for number in range(10):
        at = NOON - number * 86_400
        ledger.record(offered(f"o{number}", offered_at=at, prompt=Prompt(f"p{number}\n" * 9, "\n")))
    assert ledger.flush()
    connection = connect(ledger_path)
    assert enforce(connection, Retention(days=4.5), NOON) == 5
    assert set(outcomes(ledger_path)) == {f"o{number}" for number in range(5)}
    assert connection.execute("SELECT count(*) FROM contexts").fetchone() == (5,)
    assert connection.execute("SELECT sum(offered) FROM daily").fetchone() == (5,)


def test_a_clock_that_jumps_ahead_empties_nothing(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered())
    assert ledger.flush()
    assert enforce(connect(ledger_path), Retention(), NOON + 1e9) == 0


def test_retention_by_size_drops_until_it_fits(ledger: Ledger, ledger_path: Path) -> None:
    for number in range(600):
        prompt = Prompt("".join(f"{number} {n * 7919}\n" for n in range(60)), "\n")
        ledger.record(offered(f"o{number}", offered_at=NOON + number, prompt=prompt))
    assert ledger.flush(20)
    connection = connect(ledger_path)
    assert enforce(connection, Retention(max_bytes=300_000), NOON + 600) == 500
    assert "o599" in outcomes(ledger_path) and "o0" not in outcomes(ledger_path)
