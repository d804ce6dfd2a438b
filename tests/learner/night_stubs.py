"""Training and exam in no time, for tests of what is around them: files, locks, verdicts, kills."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import gguf
import numpy as np

from learner.exam.examination import ExamResult
from learner.exam.marks import Answer, Mark
from learner.exam.results import paper_result
from learner.exam.verdict import Limits, reasons_against
from learner.job import Progress, TrainingResult, read_examples, read_job
from models.adapters import BASE_KEY

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from learner.exam.examination import Exam
    from learner.exam.sitting import Arm
    from learner.job import JobFiles


def train(files: JobFiles, on_progress: Callable[[Progress], None]) -> TrainingResult:
    """Leave an adapter for SmolLM2 that changes nothing."""
    job, examples = read_job(files), read_examples(files)
    on_progress(Progress("train", 1, 2, 0.5, 1.0))
    write_idle_adapter(files.adapter, job.base)
    return TrainingResult(len(examples), {}, 1.0, 2, 0, 1.0, 0.5, 0.1, 100, "float32")


def write_idle_adapter(path: Path, base: str) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0)
    writer.add_string(BASE_KEY, base)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((2, 576), np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", np.zeros((576, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def better(exam: Exam, on_question: Callable[[int], None], ended: threading.Event) -> ExamResult:
    """Let the candidate do better at everything."""
    return _result(exam, on_question, 0.5)


def worse(exam: Exam, on_question: Callable[[int], None], ended: threading.Event) -> ExamResult:
    return _result(exam, on_question, 2.0)


def _result(exam: Exam, on_question: Callable[[int], None], factor: float) -> ExamResult:
    on_question(0)
    draw = random.Random(1)

    def marks(arm: Arm) -> list[Mark]:
        loss = (factor if arm == "candidate" else 1.0) * 8
        return [
            Mark(loss + draw.random() / 10, 8, True, Answer(10, True, round(8 / factor) if loss != 8 else 8))
            for _ in exam.outcomes
        ]

    paper = paper_result(exam.outcomes, 1, {arm: marks(arm) for arm in exam.adapters})
    same = {arm: [Mark(8.0, 8, True, Answer(10, True, 8))] * 20 for arm in exam.adapters}
    generic = paper_result(exam.outcomes[:20], 1, same)
    return ExamResult(paper, generic, (), reasons_against(paper, generic, (), Limits(length=100.0)))
