"""ScienceQA (NeurIPS 2022): school questions, about half of them with a picture; accuracy on the test split.

    inspect eval rl_align/scienceqa -T data=copies/ScienceQA --model …
    … -T pictures=true                                        # the questions with a picture, which others call IMG

What names no letter is unparsed: wrong under `accuracy`, left out of `accuracy_of_parsed`, and counted. Hints stand before the
question; lectures and solutions are shown to nobody.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.scienceqa import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import refusals
from rl_align.eval.protocol import Protocol
from rl_align.eval.questions import accuracies, choose, letters_of
from rl_align.schema import Item


def _groups(item: Item) -> dict[str, str]:
    subject = (item.category or "unknown").split("/")[0]
    return {"subject": subject, "topic": item.category or "unknown", "picture": "yes" if item.images else "no"}


PROTOCOLS = {
    "scienceqa": Protocol(
        "scienceqa",
        2,
        DATASET,
        (*accuracies(), *refusals()),
        "accuracy",
        _groups,
        reads=letters_of,
        suffix=choose,
        splits=("test",),
    )
}


@task
def scienceqa(data: str, pictures: bool = False, **options: Any) -> Task:
    """ScienceQA.

    Args:
        data: Folder of a local copy, or a dataset.
        pictures: Only questions with a picture.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, pictures=pictures, **options))


def benchmark(data: str, *, pictures: bool = False, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of ScienceQA. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["scienceqa"], data, options, keep=lambda item: bool(item.images) or not pictures)
