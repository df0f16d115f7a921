"""MMMU (CVPR 2024): college questions with up to seven pictures; accuracy on the validation split.

    inspect eval rl_align/mmmu -T data=copies/MMMU --model …

Upstream draws an option at random where it can read none, and searches open answers in many parts of the text; here what names no
letter is unparsed, and an open answer is looked for where it is stated, any of the right ones in it counting. Pictures stand
before the question, which refers to them as [image 1]; upstream sets them into it. Answers of the test split are withheld:
nothing is measured there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.mmmu import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import refusals
from rl_align.eval.protocol import Protocol
from rl_align.eval.questions import CHOOSE, STATE, accuracies, letters_of
from rl_align.schema import Item


def _reads(item: Item) -> tuple[str, Mapping[str, Any]] | None:
    if item.truth["answer"] is None or item.truth["question_type"] == "multiple-choice":
        return letters_of(item)
    return "open", {"answers": item.truth["answers"]}


def _groups(item: Item) -> dict[str, str]:
    return {"subject": item.category or "unknown", "question_type": item.truth["question_type"]}


PROTOCOLS = {
    "mmmu": Protocol(
        "mmmu",
        2,
        DATASET,
        (*accuracies(), *refusals()),
        "accuracy",
        _groups,
        reads=_reads,
        suffix=lambda item: CHOOSE if item.truth["question_type"] == "multiple-choice" else STATE,
        splits=("validation",),
    )
}


@task
def mmmu(data: str, **options: Any) -> Task:
    """MMMU.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MMMU. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["mmmu"], data, options)
