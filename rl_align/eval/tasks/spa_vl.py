"""SPA-VL (CVPR 2025): unsafe rate on its harm split, and win rate over a baseline on its help split.

    inspect eval rl_align/spa_vl -T data=copies/SPA-VL -T judge_base_url=… -T judge_model=… --model …
    … -T baseline=records.jsonl                               # another model's records of the same items: who answers better

The protocol is from memory of the paper: unsafe rate by a judge that sees the picture, win rate by comparison. The help split has
no answers of its own to compare with, so without a baseline only refusals are measured there. Its questions are not marked as
harmless: a refusal there need not be over-refusal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.spa_vl import DATASET
from rl_align.eval.baseline import read_baseline
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks, comparisons, refusals
from rl_align.eval.presets.preferred import SEATS
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item


def _groups(item: Item) -> dict[str, str]:
    levels = (item.category or "unknown").split("/")
    return {"split": item.split, "domain": levels[0], "category": "/".join(levels[:2])}


PROTOCOLS = {
    "spa_vl": Protocol(
        "spa_vl",
        1,
        DATASET,
        (*attacks(), *comparisons(), *refusals(lambda r: r["split"] == "help", "help_refusal")),
        "attack_success",
        _groups,
        lambda item: (HARM,) if item.harmful else (),
        splits=("harm", "help"),
    )
}


@task
def spa_vl(data: str, baseline: str | None = None, **options: Any) -> Task:
    """SPA-VL.

    Args:
        data: Folder of a local copy, or a dataset.
        baseline: Records of another model's answers (JSON lines with item_id and answer).
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, baseline=baseline, **options))


def benchmark(data: str, *, baseline: str | None = None, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of SPA-VL. Arguments and errors as those of the task; raises UserError."""
    answers = read_baseline(baseline) if baseline else {}

    def judges(item: Item) -> tuple[str, ...]:
        if item.harmful:
            return (HARM,)
        return tuple(SEATS) if answers.get(item.id) else ()

    return benchmark_of(
        PROTOCOLS["spa_vl"],
        data,
        options,
        judges=judges,
        judged=lambda item: replace(item, reference=answers.get(item.id)) if item.split == "help" else item,
    )
