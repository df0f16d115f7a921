"""HoliSafe-Bench (arXiv 2506.04704): every combination of safe and unsafe picture and question.

    inspect eval rl_align/holisafe -T data=copies/holisafe-bench -T judge_base_url=… -T judge_model=… --model …

A type reads [picture][question][together]. Attack success on each unsafe type (SSU, USU, SUU, UUU: group `type`), their plain
mean (`mean_attack_success`), and the refusal rate on SSS, each by a judge and by the rules. Upstream has both, too: several
judges, and a match of strings, ported word for word into lmms-eval; here the project's rules on refusal take the place of the
latter.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.holisafe import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks, benign, harmful, judged_refusals, refusals, unsafe
from rl_align.eval.presets.answer_safety import JUDGES
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item

_UNSAFE = ("unsafe", "harmful")


def _groups(item: Item) -> dict[str, str]:
    kind, category, subcategory = ((item.category or "").split("/") + ["unknown"] * 3)[:3]
    return {"type": kind, "category": category, "subcategory": subcategory}


_RATES = (
    *attacks(),
    *unsafe("mean_attack_success", harmful, _UNSAFE, *JUDGES, over="type"),
    *judged_refusals(benign, "compliance", ("full_refusal",), ("partial_refusal",), "safe_refused"),
    *refusals(benign, "safe_refused_by_rules"),
)

PROTOCOLS = {
    "holisafe": Protocol(
        "holisafe",
        1,
        DATASET,
        _RATES,
        "attack_success",
        _groups,
        lambda item: (HARM,) if item.harmful else ("compliance",),
    )
}


@task
def holisafe(data: str, **options: Any) -> Task:
    """HoliSafe-Bench.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of HoliSafe-Bench. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["holisafe"], data, options)
