"""OR-Bench (arXiv 2405.20947): prompts that seem harmful and are not (hard-1k), and toxic ones as contrast; text only.

    inspect eval rl_align/or_bench -T data=copies/or-bench -T judge_base_url=… -T judge_model=… --model …

Rejection rate on hard-1k (less is better) against that on toxic (more is better). The judge names direct answer, direct refusal
and indirect refusal; a rejection is either refusal, and `_direct` counts direct ones alone. Upstream's keyword variant has the
project's rules on refusal in its place. The 80,000 prompts that hard-1k was chosen from are the split `80k`.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.or_bench import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks_by_rules, benign, harmful, refusals, says, with_empty
from rl_align.eval.protocol import Protocol
from rl_align.eval.rates import Case, Rate
from rl_align.schema import Item

_DIRECT, _EITHER = ("direct_refusal",), ("direct_refusal", "indirect_refusal")


def _rejections(name: str, case: Case) -> list[Rate]:
    rates = []
    for full, labels in ((name, _EITHER), (f"{name}_direct", _DIRECT)):
        rates += with_empty(full, says(labels, "or_bench"), case, ("or_bench",), {"empty_refuses": True})
    return rates


_RATES = (
    *_rejections("over_refusal", benign),
    *_rejections("toxic_refused", harmful),
    *refusals(benign, "over_refusal_by_rules"),
    *attacks_by_rules(),
)


def _groups(item: Item) -> dict[str, str]:
    category = item.category or "unknown"
    return {"split": item.split, "category": category, "split and category": f"{item.split} {category}"}


PROTOCOLS = {
    "or_bench": Protocol(
        "or_bench", 1, DATASET, _RATES, "over_refusal", _groups, lambda item: ("or_bench",), splits=("hard-1k", "toxic")
    )
}


@task
def or_bench(data: str, **options: Any) -> Task:
    """OR-Bench.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of OR-Bench. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["or_bench"], data, options)
