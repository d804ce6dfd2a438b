"""The generic set is the same on every machine, and nothing that is trained on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from learner.exam.generic import LEAST, MOST, PER_SNIPPET, generic_questions, snippets


def test_the_questions_do_not_change_unnoticed() -> None:
    """Nights compare only over the same questions: change this on purpose alone."""
    content = json.dumps([asdict(question) for question in generic_questions()], sort_keys=True)
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == "8f94e23ba5e8f7c7"


def test_each_question_is_a_place_in_its_snippet() -> None:
    texts = dict(snippets())
    questions = generic_questions()
    assert len(questions) == PER_SNIPPET * len(texts) == 156
    for question in questions:
        text = texts[question.prompt.path]
        assert question.prompt.prefix + question.target + question.prompt.suffix == text
        assert LEAST <= len(question.target) <= MOST
        assert "\n" not in question.target
    assert len({(q.prompt.path, len(q.prompt.prefix)) for q in questions}) == len(questions)
