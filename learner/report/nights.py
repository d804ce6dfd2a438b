"""The nights: what each adapter's exam said, why it serves or not, and when what serves changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.current import OFF, PRIMER
from learner.report.estimates import Estimate, estimate_of

if TYPE_CHECKING:
    from learner.registry import Adapter, Registry


@dataclass(frozen=True)
class Night:
    """One adapter, as its report has it; what the report does not say is None."""

    adapter: str
    at: float
    """Unix time."""
    verdict: str
    reasons: tuple[str, ...]
    """Why it does not serve."""
    examples: int | None
    seconds: float | None
    questions: int | None
    """Newest outcomes that it was examined on."""
    exact_match: Estimate | None
    serving_exact_match: Estimate | None
    """Of what served then, on the same questions."""
    log_loss: Estimate | None
    """The difference to what served then, in nats per token; below 0 is better."""
    net_saved: Estimate | None
    """The difference to what served then, in characters per outcome; above 0 is better."""


@dataclass(frozen=True)
class Switch:
    """A moment at which something else began to serve."""

    at: float
    adapter: str
    """In words, as is the next one."""
    replaced: str
    by: str
    """``night``, ``user`` or ``live``."""
    reason: str


def nights(registry: Registry) -> list[Night]:
    """Return the nights whose adapters are still kept, newest first."""
    return [_night(adapter) for adapter in registry.adapters()]


def switches(registry: Registry) -> list[Switch]:
    """Return the last changes of what serves, oldest first."""
    return [
        Switch(change.at, _spoken(change.adapter), _spoken(change.replaced), change.by, change.reason)
        for change in registry.history()
    ]


def _night(adapter: Adapter) -> Night:
    report = adapter.report
    examples, questions = report.get("examples"), _at(report, "exam", "candidate", "outcomes", "questions")
    seconds = estimate_of(report.get("seconds"))
    reasons = report.get("reasons")
    return Night(
        adapter=adapter.id,
        at=adapter.created,
        verdict=str(report.get("verdict") or "not examined"),
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        examples=examples if isinstance(examples, int) else None,
        seconds=seconds.mean if seconds else None,
        questions=questions if isinstance(questions, int) else None,
        exact_match=estimate_of(_at(report, "exam", "candidate", "outcomes", "exact_match")),
        serving_exact_match=estimate_of(_at(report, "exam", "serving", "outcomes", "exact_match")),
        log_loss=estimate_of(_at(report, "exam", "differences", "serving", "log_loss")),
        net_saved=estimate_of(_at(report, "exam", "differences", "serving", "net_saved")),
    )


def _at(found: object, *keys: str) -> object:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _spoken(choice: str) -> str:
    return {PRIMER: "the primer", OFF: "the bare base model"}.get(choice, f"adapter {choice}")
