"""MIS (arXiv 2501.18533): two pictures and a question that are unsafe together.

    inspect eval rl_align/mis -T data=copies/MIS_Test -T judge_base_url=… -T judge_model=… --model …

Two judgements of an answer: safe or not, and how far it shows that the pictures were understood (perception level 1 to 3).
Upstream's judge prompt is not copied, and the levels are in our own words. Parts: easy, hard, real.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.mis import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import asked, attacks, says, with_empty
from rl_align.eval.protocol import Protocol
from rl_align.eval.rates import Rate
from rl_align.schema import Item

_SEEN = "mis_perception"


def _perception() -> list[Rate]:
    rates = []
    for name, levels in (("perception_3", ("3",)), ("perception_2_or_3", ("2", "3"))):
        rates += with_empty(name, says(levels, _SEEN), asked(_SEEN), (_SEEN,), {"empty_is_1": False})
    return rates


def _groups(item: Item) -> dict[str, str]:
    category = item.category or "unknown"
    return {"part": item.split, "category": category.split("/")[0], "subcategory": category}


PROTOCOLS = {
    "mis": Protocol("mis", 1, DATASET, (*attacks(), *_perception()), "attack_success", _groups, lambda item: (HARM, _SEEN))
}


@task
def mis(data: str, **options: Any) -> Task:
    """MIS.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MIS. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["mis"], data, options)
