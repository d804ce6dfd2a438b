"""A home as eight weeks of work leave it; made up, the same each time."""

from __future__ import annotations

import json
import os
import random
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapter_files import BASE
from fact_builders import offered

from learner.facts import Event, EventKind, Horizon, KnownBy, Settlement
from learner.ledger import Ledger
from learner.memory.memory_file import connect
from learner.registry import Registry, adapter_id
from models.home import Home
from models.prompt import Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from learner.facts import Fact

DAY = 86_400.0
NOW = 1_790_000_000.0
"""When the report is made, in Unix seconds."""
DAYS = 56
PROJECT = "/home/dev/letters"
FILES = (
    "letters/inbox.py",
    "letters/outbox.py",
    "letters/archive.py",
    "letters/api.py",
    "tests/test_inbox.py",
)


@dataclass(frozen=True)
class Habit:
    """What is offered at first, and what the house writes."""

    before: str
    wrong: str
    right: str


HABITS = (
    Habit("    now = ", "datetime.utcnow()", "datetime.now(UTC)"),
    Habit("log = ", "logging.getLogger(__name__)", "structlog.get_logger(__name__)"),
    Habit("    found = ", "session.query(Letter).all()", "session.scalars(select(Letter)).all()"),
    Habit("    reply = ", "requests.get(url)", "client.get(url, timeout=TIMEOUT)"),
    Habit("    assert letter.", "subject == 'hello'", 'subject == "hello"'),
)
COMMON = (
    ("    for letter in ", "inbox.all():", "inbox.unread():"),
    ("        if letter.sender ", "== self.owner:", "in self.blocked:"),
    ("    return ", "list(self.letters)", "[letter for letter in self.letters if not letter.read]"),
    ("    with ", "open(path) as file:", "self.lock:"),
    ("    letters: ", "list = None", "list[Letter] = field(default_factory=list)"),
    ("    def move(self, letter: Letter, ", "target):", "folder: Folder) -> None:"),
)


def seed_home(root: Path) -> Home:
    """Fill a home: a ledger, four nights, a memory, and a replay's result."""
    home = Home(root)
    nights = add_nights(home)
    ledger = Ledger.open(home.ledger, on_trouble=_fail, clock=lambda: NOW)
    for fact in eight_weeks(random.Random(7), nights):
        ledger.record(fact)
    assert ledger.close()
    remember(home)
    home.replay_result.write_text(json.dumps(replay_result()))
    os.utime(home.replay_result, (NOW - DAY, NOW - DAY))
    return home


def eight_weeks(chance: random.Random, nights: list[tuple[float, str]]) -> list[Fact]:
    facts: list[Fact] = []
    for day in range(DAYS):
        at = NOW - (DAYS - 1 - day) * DAY - 6 * 3600
        if day % 7 in (4, 5):  # a weekend
            continue
        adapter = next((name for since, name in reversed(nights) if since <= at), None)
        for number in range(chance.randint(14, 26)):
            facts += one_offer(chance, f"d{day}-{number}", at + number * 900, day / DAYS, adapter)
    return facts


def one_offer(chance: random.Random, name: str, at: float, learned: float, adapter: str | None) -> list[Fact]:
    """An offer and what became of it; more and more of them are right."""
    line, file = chance.randint(4, 300), chance.choice(FILES)
    habit = chance.choice(HABITS) if chance.random() < 0.3 else None
    if habit:
        before, right = habit.before, habit.right
        text = right if chance.random() < 0.9 * learned else habit.wrong
    else:
        before, wrong, right = chance.choice(COMMON)
        text = right if chance.random() < 0.45 + 0.2 * learned else wrong
    facts: list[Fact] = [
        offered(
            name, offered_at=at, uri=f"file://{PROJECT}/{file}", project=PROJECT, line=line, text=text,
            prompt=Prompt(f"from letters import Letter\n{before}", "\n", file, "letters", ()),
            adapter=adapter, latency_ms=chance.lognormvariate(4.9 - 0.3 * learned, 0.45),
        )
    ]  # fmt: skip
    fate = chance.random()
    if fate < 0.25:
        return [*facts, Event(name, at + 1, EventKind.SUPERSEDED, KnownBy.INFERRED)]
    if (text == right and fate < 0.8) or (habit and fate < 0.5):
        facts.append(Event(name, at + 2, EventKind.ACCEPTED, KnownBy.EXPLICIT))
    elif fate < 0.9:
        facts.append(Event(name, at + 2, EventKind.DIVERGED, KnownBy.INFERRED, 0))
    else:
        return [*facts, Event(name, at + 4, EventKind.IGNORED, KnownBy.TIMEOUT)]
    kept, distance = (len(right), 0) if text == right else (len(text) // 3, 9)
    looks = (Horizon.S30, Horizon.MIN10)
    return [*facts, *(Settlement(name, at + 30, look, right, kept, distance) for look in looks)]


def add_nights(home: Home) -> list[tuple[float, str]]:
    """Add a refused night and three that were promoted; return since when which adapter served."""
    made: list[tuple[float, str]] = []
    for week, (verdict, mean, low, high) in enumerate((
        ("refused", -0.012, -0.047, 0.024), ("promoted", -0.061, -0.102, -0.021),
        ("promoted", -0.048, -0.083, -0.016), ("promoted", -0.034, -0.060, -0.009),
    )):  # fmt: skip
        at = NOW - (47 - 13 * week) * DAY - 10 * 3600
        identity = adapter_id(at, str(week))
        registry = Registry(home, _fail, now=lambda at=at: at)
        unfinished = home.root / "unfinished.gguf"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(b"GGUF" + identity.encode())
        registry.add(unfinished, identity, report_of(at, verdict, mean, low, high, 80 + 30 * week))
        if verdict == "promoted":
            registry.promote(identity, reason="passed its exam")
            made.append((at, identity))
    return made


def report_of(
    at: float, verdict: str, mean: float, low: float, high: float, questions: int
) -> dict[str, Any]:
    reason = (
        f"not better than the serving adapter beyond noise: log-loss on the newest {questions} outcomes 0.712"
        f" against 0.724, difference {mean:+.3f} (95 % interval {low:+.3f} to {high:+.3f}, must be below 0)"
    )
    arm = {"questions": questions, "log_loss": 0.712, "exact_match": 0.41, "net_saved": 7.1}
    return {
        "base": BASE, "created": at, "parent": None, "examples": 9 * questions, "seconds": 1500.0,
        "verdict": verdict, "reasons": [reason] if verdict == "refused" else [],
        "exam": {
            "candidate": {"outcomes": arm},
            "serving": {"outcomes": arm | {"exact_match": 0.41 + mean / 2}},
            "differences": {"serving": {
                "log_loss": {"mean": mean, "low": low, "high": high},
                "net_saved": {"mean": -8 * mean, "low": -8 * mean - 0.5, "high": -8 * mean + 0.5},
            }},
        },
    }  # fmt: skip


def remember(home: Home) -> None:
    """Let memory know the house's lines."""
    with closing(connect(home.memory)) as connection:
        for number, habit in enumerate(HABITS):
            line = (habit.before + habit.right).strip()
            connection.execute(
                "INSERT INTO patterns (project, language, line, uri, before, after, above, definition, words,"
                " wrong, support, contradicted, made_at, used_at, revision)"
                " VALUES (?, 'python', ?, '', '', '', '', '', '', ?, ?, 0, ?, ?, 1)",
                (PROJECT, line, habit.wrong, 14 - 2 * number, NOW - 20 * DAY, NOW - number * DAY),
            )


COUNTS = (0, 10, 50, 100, 300, 1000)
ARMS = {
    "frozen": (210, 0.310, 0.0), "static": (246, 0.385, 0.0), "memory": (246, 0.385, 0.8),
    "weights": (210, 0.310, 0.5),
    "both": (246, 0.385, 1.0), "other_project": (213, 0.312, 0.05), "shuffled": (210, 0.310, -0.1),
}  # fmt: skip
"""Of each arm: net saved per 1,000 and exact match at first, and how much of the gain it makes."""


def replay_result() -> dict[str, Any]:
    """A result of the shape that `nightschool replay --json` has; the figures are made up."""
    slope = [
        {"project": "letters", "returned": False, "arm": arm, "interactions": count} | _point(arm, step)
        for arm in ARMS
        for step, count in enumerate(COUNTS)
    ]
    differences = [
        {"arm": "both", "against": "static", **_estimate(62, 25), "exact_match": _estimate(0.07, 0.03)},
        {"arm": "memory", "against": "static", **_estimate(50, 26), "exact_match": _estimate(0.056, 0.031)},
        {
            "arm": "both",
            "against": "other_project",
            **_estimate(95, 30),
            "exact_match": _estimate(0.143, 0.04),
        },
    ]
    return {
        "arms": {arm: {"questions": 300} | _figures(arm, len(COUNTS) - 1) for arm in ARMS},
        "slope": slope,
        "differences": differences,
        "projects": ["letters"],
        "seeds": [0, 1, 2],
    }


def _point(arm: str, step: int) -> dict[str, Any]:
    """As the slope has its figures: the means, and their intervals apart."""
    figures = _figures(arm, step)
    intervals = {name: {"low": each["low"], "high": each["high"]} for name, each in figures.items()}
    return {name: each["mean"] for name, each in figures.items()} | {"intervals": intervals}


def _figures(arm: str, step: int) -> dict[str, Any]:
    saved, exact, gain = ARMS[arm]
    rise = gain * step / (len(COUNTS) - 1)
    return {
        "net_saved_per_1000": _estimate(saved + 62 * rise, 17),
        "exact_match": _estimate(exact + 0.07 * rise, 0.022),
    }


def _estimate(mean: float, half: float) -> dict[str, float]:
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def _fail(message: str) -> None:
    raise AssertionError(message)
