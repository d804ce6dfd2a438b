"""What one answer is worth: the row that is kept of it, and the facts that an arm learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learner.declined import Declined
from learner.developer import respond
from learner.distance import edit_distance
from learner.facts import Offered
from learner.replay.record import Phase, Row
from models.engine import Candidate

if TYPE_CHECKING:
    from pathlib import Path

    from learner.replay.arms import ArmName
    from learner.replay.asking import Prediction
    from learner.replay.questions import Question
    from models.engine import Scored


def row_of(
    question: Question, prediction: Prediction, scored: Scored, arm: ArmName, phase: Phase, interactions: int
) -> Row:
    """Return what is kept of one arm's answer."""
    target = question.truth.target.rstrip()
    text = prediction.text.rstrip()
    response = respond(prediction.offered, question.truth.target)
    longer = max(len(text), len(target))
    return Row(
        project=question.situation.project,
        phase=phase,
        arm=str(arm),
        interactions=interactions,
        number=question.situation.number,
        file=question.situation.path,
        duplicate=question.duplicate,
        typed=len(question.truth.target),
        shown=bool(response.looks),
        taken=str(response.taken),
        saved=response.saved,
        corrections=response.corrections,
        net=response.net,
        exact=text == target,
        similarity=1 - edit_distance(text, target) / longer if longer else 1.0,
        log_loss=-sum(scored.logprobs),
        tokens=len(scored.logprobs),
        prediction=prediction if phase is Phase.STREAM else None,
    )


def offer_of(question: Question, prediction: Prediction, root: Path, session: str) -> Offered:
    """Return the prediction as the ledger has it; ``root`` is the replayed project's folder."""
    situation = question.situation
    hidden = str(Declined.HIDDEN) if prediction.text else str(Declined.EMPTY)
    return Offered(
        offer_id=f"{session}-{situation.number}",
        session_id=session,
        offered_at=situation.at + situation.number * 1e-3,  # One after the other within a step.
        uri=(root / situation.path).as_uri(),
        project=str(root),
        language=situation.language,
        line=situation.line,
        column=situation.column,
        text=prediction.text,
        replaced=0,
        prompt=prediction.prompt,
        layout=prediction.layout,
        model=prediction.model,
        adapter=prediction.adapter,
        candidates=(Candidate(prediction.text, prediction.logprobs, prediction.stopped_by),),
        declined=None if prediction.shown and prediction.text else hidden,
        invoked=False,
        served=prediction.served,
        latency_ms=0.0,
        support=prediction.support,
    )
