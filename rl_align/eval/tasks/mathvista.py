"""MathVista testmini (ICLR 2024): mathematical questions about pictures; accuracy.

    inspect eval rl_align/mathvista -T data=copies/MathVista --model …

Upstream has a language model extract the value, then compares: whole numbers cut off, other numbers rounded to the question's
precision, words as they are; a choice is whichever option is spelt most like the answer, so something is always chosen. Here the
value is read by rules where the answer states it (`scorers/exact.py`), a choice by its letter or its exact words, and what
states none is unparsed: wrong under `accuracy`, left out of `accuracy_of_parsed`, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.mathvista import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import refusals
from rl_align.eval.protocol import Protocol
from rl_align.eval.questions import CHOOSE, STATE, accuracies, letters_of
from rl_align.schema import Item


def _reads(item: Item) -> tuple[str, Mapping[str, Any]] | None:
    if "letter" in item.truth:
        return letters_of(item)
    answer, kind, precision = item.truth["answer"], item.truth["answer_type"], item.truth["precision"]
    if kind in ("integer", "float"):
        decimals = int(precision) if kind == "float" and precision is not None else None if kind == "integer" else 2
        return "number", {"answer": answer, "precision": decimals}
    return "numbers" if kind == "list" else "words", {"answer": answer}


def _groups(item: Item) -> dict[str, str]:
    return {"question_type": item.category or "unknown", "answer_type": item.truth["answer_type"]}


PROTOCOLS = {
    "mathvista": Protocol(
        "mathvista",
        2,
        DATASET,
        (*accuracies(), *refusals()),
        "accuracy",
        _groups,
        reads=_reads,
        suffix=lambda item: CHOOSE if "letter" in item.truth else STATE,
    )
}


@task
def mathvista(data: str, **options: Any) -> Task:
    """MathVista.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MathVista. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["mathvista"], data, options)
