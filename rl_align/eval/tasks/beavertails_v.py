"""BeaverTails-V (arXiv 2503.17682): harmful questions about pictures in 20 categories; unsafe rate, and win rate against a safe
answer.

    inspect eval rl_align/beavertails_v -T data=copies/BeaverTails-V -T judge_base_url=… -T judge_model=… --model …
    … -T compare=true                                         # and which answer serves better, in both orders

The evaluation split, in whichever of the two layouts. The paper's judges are not published: the judge of harm is this project's
own, or a guard model (`safety_judge`). What is compared with is the data's own safe answer, where a row has one.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.beavertails_v import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks, comparisons
from rl_align.eval.presets.preferred import SEATS
from rl_align.eval.protocol import Protocol

PROTOCOLS = {
    "beavertails_v": Protocol(
        "beavertails_v",
        1,
        DATASET,
        (*attacks(), *comparisons()),
        "attack_success",
        judges=lambda item: (HARM,),
        splits=("evaluation",),
    )
}


@task
def beavertails_v(data: str, compare: bool = False, **options: Any) -> Task:
    """BeaverTails-V.

    Args:
        data: Folder of a local copy in either layout, or a dataset.
        compare: Compare with the data's safe answers, too: two more judgements of an answer.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, compare=compare, **options))


def benchmark(data: str, *, compare: bool = False, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of BeaverTails-V. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(
        PROTOCOLS["beavertails_v"],
        data,
        options,
        judges=lambda item: (HARM, *SEATS) if compare and item.reference else (HARM,),
    )
