"""Which outcomes teach the memory something, and what."""

from __future__ import annotations

import pytest

from learner.facts import Event, EventKind, Horizon, KnownBy, Offered, Served, Settlement
from learner.memory.episode import Episode, Kind
from learner.memory.settled import episode_of
from models.engine import Candidate
from models.prompt import Prompt


def offer(text: str = "foo(bar)", *, logprob: float = -0.1, declined: str | None = None) -> Offered:
    candidates = (Candidate(text, (logprob, logprob), "newline"),)
    place = (1.0, "file:///p/a.py", "/p", "python", 2, 8, text, 0)
    prompt = Prompt("def f(bar):\n    x = ", "\n    return x\n")
    return Offered(
        "o", "s", *place, prompt, "psm-1", "m", None, candidates, declined, False, Served.MODEL, 1.0
    )


def event(kind: EventKind) -> Event:
    return Event("o", 2.0, kind, KnownBy.EXPLICIT)


def settled(text: str, kept: int = 0, distance: int = 9, horizon: Horizon = Horizon.S10) -> Settlement:
    return Settlement("o", 12.0, horizon, text, kept, distance)


def told(*course: Event | Settlement, made: Offered | None = None) -> Episode | None:
    return episode_of(made or offer(), course)


def test_what_was_typed_instead_is_a_miss():
    episode = told(event(EventKind.DIVERGED), settled("other(bar)"))
    assert episode is not None
    assert (episode.kind, episode.right, episode.line) == (Kind.MISS, "other(bar)", "x = other(bar)")
    assert not episode.refused


def test_what_was_changed_after_an_accept_is_a_correction():
    episode = told(event(EventKind.ACCEPTED), settled("foo(bar, 1)", kept=8, distance=3))
    assert episode is not None
    assert (episode.kind, episode.right, episode.offered) == (Kind.CORRECTION, "foo(bar, 1)", "foo(bar)")


@pytest.mark.parametrize(("logprob", "kind"), [(-0.1, Kind.KEPT), (-2.0, Kind.SURPRISE)])
def test_an_accept_is_written_only_where_it_was_a_surprise(logprob: float, kind: Kind):
    course = event(EventKind.ACCEPTED), settled("foo(bar)", kept=8, distance=0)
    episode = told(*course, made=offer(logprob=logprob))
    assert episode is not None
    assert episode.kind is kind


@pytest.mark.parametrize(
    "course",
    [
        (event(EventKind.REJECTED),),
        (event(EventKind.ACCEPTED), event(EventKind.UNDONE), settled("")),
        (event(EventKind.ACCEPTED), settled("")),
    ],
    ids=["rejected", "undone", "deleted"],
)
def test_what_was_rejected_or_deleted_is_refused(course: tuple[Event | Settlement, ...]):
    episode = told(*course)
    assert episode is not None
    assert (episode.kind, episode.refused, episode.offered) == (Kind.REFUSAL, True, "foo(bar)")


def test_what_was_typed_where_the_model_was_silent_is_a_miss():
    episode = told(settled("other(bar)"), made=offer("", declined="empty"))
    assert episode is not None
    assert (episode.kind, episode.offered) == (Kind.MISS, "")


@pytest.mark.parametrize(
    "course",
    [
        (event(EventKind.UNSEEN), settled("other(bar)")),
        (event(EventKind.DIVERGED), settled("")),
        (event(EventKind.DIVERGED), settled("1")),
        (event(EventKind.DIVERGED), event(EventKind.DISTURBED), settled("pasted(bar)")),
    ],
    ids=["unseen", "nothing", "hardly anything", "a paste"],
)
def test_what_says_nothing_teaches_nothing(course: tuple[Event | Settlement, ...]):
    assert told(*course) is None


def test_only_the_line_that_a_completion_would_have_written_is_remembered():
    episode = told(event(EventKind.DIVERGED), settled("other(bar)\n    y = 2\n    z = 3"))
    assert episode is not None
    assert episode.right == "other(bar)"
