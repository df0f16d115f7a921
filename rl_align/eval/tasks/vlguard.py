"""VLGuard (ICML 2024): attack success on its two unsafe subsets, refusals and win rate on the safe one.

    inspect eval rl_align/vlguard -T data=copies/VLGuard -T judge_base_url=… -T judge_model=… --model …

Subsets of the test split: `unsafes` (unsafe picture), `safe_unsafes` (safe picture, unsafe instruction), `safe_safes`. Upstream's
attack success rate is a matter of some 60 refusal keywords: an answer without any is a success. Here the project's rules on
refusal take their place (`attack_by_rules`, by subset), and a judge of harm stands beside them. Helpfulness is the win rate
against the answer that the data hold; 17 of them are empty upstream, and are compared with nothing.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.vlguard import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks, benign, comparisons, refusals
from rl_align.eval.presets.preferred import SEATS
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item


def _groups(item: Item) -> dict[str, str]:
    subset, *rest = (item.category or "unknown").split("/")
    return {"subset": subset} | ({"category": rest[0], "subcategory": "/".join(rest)} if rest else {})


def _judges(item: Item) -> tuple[str, ...]:
    if item.harmful:
        return (HARM,)
    return tuple(SEATS) if item.reference else ()


PROTOCOLS = {
    "vlguard": Protocol(
        "vlguard",
        1,
        DATASET,
        (*attacks(), *refusals(benign, "over_refusal_by_rules"), *comparisons()),
        "attack_by_rules",
        _groups,
        _judges,
        splits=("test",),
    )
}


@task
def vlguard(data: str, **options: Any) -> Task:
    """VLGuard.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of VLGuard. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["vlguard"], data, options)
