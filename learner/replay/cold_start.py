"""The cold start: a developer's git history, gone through once, fills memory and ledger before the first day.

What would have been offered at places of the history, and what was typed there instead, goes the way of any
outcome: memory remembers it, the gate reads it in the ledger, the next night trains on it. The ledger knows
such outcomes by their session's client, :data:`CLIENT`, and their facts as inferred.
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from learner.developer import Taken, respond
from learner.facts import REPLAY_CLIENT, Event, KnownBy, Session
from learner.ledger import Ledger
from learner.memory.store import Memory
from learner.privacy import PrivacyFilter
from learner.registry import Registry
from learner.replay.asking import REPLAYED, Asker
from learner.replay.facts_left import facts_of
from learner.replay.git_history import GitHistory
from learner.replay.history import HistoryError
from learner.replay.questions import questions_of
from learner.replay.sampling import draw_plan, read_plan, write_plan
from learner.replay.scoring import offer_of
from learner.replay.workplace import Workplace
from models.engine import EngineError
from models.home import private_directory, private_opener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from learner.replay.asking import Examinee, Prediction
    from learner.replay.history import History
    from learner.replay.questions import Question
    from learner.replay.session import Meter
    from models.home import Home

PATIENCE_S = 30.0
"""For the disk, after each place."""


@dataclass(frozen=True)
class ColdStart:
    """What there was to learn from."""

    project: str
    interactions: int
    """Places that memory and ledger now know, earlier runs included."""
    taken: int
    """Of those of this run, the ones where the offer would have been taken."""


@dataclass(frozen=True)
class Learner:
    """Who learns, and with what."""

    home: Home
    base: str
    """The SHA-256 of the model's file."""
    start_engine: Callable[[AsyncExitStack, Path | None], Awaitable[Examinee]]
    limit: int = 300
    """Places at most, spread over the history."""
    seed: int = 0

    def folder(self, root: Path) -> Path:
        told = f"{root}\n{self.base}\n{self.limit}\n{self.seed}"
        digest = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
        return self.home.replays / f"learn-{digest[:16]}"


async def learn_history(learner: Learner, root: Path, meter: Meter) -> ColdStart:
    """Go through the history of the repository at ``root`` (absolute); what a killed run has learned stays.

    Raises:
        HistoryError: it cannot be read, nothing in it is typed code, or another run is at it.
        EngineError: the engine failed, or memory or ledger cannot be written.
    """
    history = GitHistory(root)
    folder = private_directory(learner.folder(root))
    privacy = PrivacyFilter([root])
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / "lock", timeout=0, mode=0o600))
        except Timeout:
            raise HistoryError("this history is being learned already; wait for it, or end it") from None
        questions = _questions(history, folder, learner, privacy, meter)
        serving = Registry(learner.home).serving(learner.base)
        adapter = serving.path if serving else None
        asker = Asker(await learner.start_engine(stack, adapter), privacy)
        place = Workplace(folder / "files", history, REPLAYED)
        stack.callback(place.close)
        lessons = _Lessons(learner.home, root, folder / f"{history.identity}.done", privacy)
        stack.callback(lessons.close)
        session = f"{REPLAY_CLIENT}-{history.identity[:16]}-{learner.seed}"
        meter.say("ask", 0, len(questions))
        taken = 0
        for question in questions:
            place.move_to(question)
            is_new = question.situation.number not in lessons.done
            if is_new:
                prompt = asker.prompt(question.situation, place.live.chunks(question.situation))
                prediction = await asker.ask(question.situation, prompt, adapter)
                taken += lessons.learn(question, prediction, session)
            meter.note(is_new)
    return ColdStart(history.project, len(questions), taken)


def _questions(
    history: History, folder: Path, learner: Learner, privacy: PrivacyFilter, meter: Meter
) -> list[Question]:
    file = folder / f"{history.identity}.json"
    plan = read_plan(file)
    if plan is None:
        meter.say("history")
        plan = draw_plan(
            history, learner.limit, learner.seed, privacy, lambda step: meter.say("history", step)
        )
        write_plan(file, plan)
    return questions_of(history, plan)


class _Lessons:
    """Memory and ledger of a home, and which questions they know."""

    def __init__(self, home: Home, root: Path, done: Path, privacy: PrivacyFilter) -> None:
        self._root = root
        self._troubles: list[str] = []
        self._ledger = Ledger.open(home.ledger, on_trouble=self._troubles.append, privacy=privacy)
        self._memory = Memory.open(home.memory, on_trouble=self._troubles.append, privacy=privacy)
        self.done = {int(line) for line in _lines(done) if line.isdigit()}
        self._file = open(done, "a", encoding="utf-8", opener=private_opener)  # noqa: SIM115 - closed by close()

    def learn(self, question: Question, prediction: Prediction, session: str) -> bool:
        """Let memory and ledger know; return whether the offer would have been taken.

        Raises:
            EngineError: they cannot be written.
        """
        target = question.truth.target
        response = respond(prediction.text, target)
        offer = offer_of(question, prediction, self._root, session)
        facts = [
            replace(fact, known_by=KnownBy.INFERRED) if isinstance(fact, Event) else fact
            for fact in facts_of(offer.offer_id, offer.text, response, target, offer.offered_at)
        ]
        for fact in (Session(session, offer.offered_at, REPLAY_CLIENT, REPLAY_CLIENT, 0), offer, *facts):
            self._ledger.record(fact)
        self._memory.settle(offer, facts)
        if not (self._memory.flush(PATIENCE_S) and self._ledger.flush(PATIENCE_S)) or self._troubles:
            why = "; ".join(self._troubles) or f"nothing was written within {PATIENCE_S:.0f} s"
            raise EngineError(f"what was learned cannot be kept: {why}")
        self._file.write(f"{question.situation.number}\n")
        self._file.flush()
        return response.taken in (Taken.WHOLE, Taken.PART, Taken.EDITED)

    def close(self) -> None:
        self._file.close()
        self._memory.close(PATIENCE_S)
        self._ledger.close(PATIENCE_S)


def _lines(path: Path) -> list[str]:
    """Return the file's whole lines."""
    try:
        return path.read_text("utf-8").rpartition("\n")[0].split("\n")
    except OSError:
        return []
