"""MMStar (NeurIPS 2024): multiple choice that cannot be answered without the picture; accuracy.

    inspect eval rl_align/mmstar -T data=copies/MMStar --model …

The options are part of the question's text, so a choice is read by its letter alone. What names none is unparsed: wrong under
`accuracy`, left out of `accuracy_of_parsed`, and counted.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.mmstar import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import refusals
from rl_align.eval.protocol import Protocol
from rl_align.eval.questions import accuracies, choose, letters_of
from rl_align.schema import Item


def _groups(item: Item) -> dict[str, str]:
    category = item.category or "unknown"
    return {"category": category.split("/")[0], "subcategory": category}


PROTOCOLS = {
    "mmstar": Protocol("mmstar", 2, DATASET, (*accuracies(), *refusals()), "accuracy", _groups, reads=letters_of, suffix=choose)
}


@task
def mmstar(data: str, **options: Any) -> Task:
    """MMStar.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MMStar. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["mmstar"], data, options)
