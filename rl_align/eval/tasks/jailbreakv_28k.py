"""JailBreakV-28K (arXiv 2404.03027): jailbreaks of language models carried over to pictures, and attacks by pictures.

    inspect eval rl_align/jailbreakv_28k -T data=copies/JailBreakV_28k -T limit=1000 -T judge_base_url=… -T judge_model=… --model …
    … -T safety_judge=llama_guard                             # the paper's kind of judge, where the judge is a Llama Guard

The judge is told the plain question that the jailbreak wraps, not the jailbreak: whether an answer serves it is what counts, and
a jailbreak is written to sway whoever reads it. Attack success overall, by format, by family (text carried over, or pictures) and
by policy; "Child Abuse Content" is the policy "Child Abuse". The red-team questions alone are the split `redteam_2k`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.jailbreakv_28k import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item

_FROM_TEXT = ("Template", "Persuade", "Logic")
_POLICIES = {"Child Abuse Content": "Child Abuse"}


def _groups(item: Item) -> dict[str, str]:
    first, _, rest = (item.category or "unknown").partition("/")
    policy = rest if item.split == "attacks" else first
    groups = {"split": item.split, "policy": _POLICIES.get(policy, policy)}
    if item.split != "attacks":
        return groups
    return groups | {"format": first, "family": "text carried over" if first in _FROM_TEXT else "pictures"}


PROTOCOLS = {
    "jailbreakv_28k": Protocol(
        "jailbreakv_28k", 1, DATASET, tuple(attacks()), "attack_success", _groups, lambda item: (HARM,), splits=("attacks",)
    )
}


@task
def jailbreakv_28k(data: str, **options: Any) -> Task:
    """JailBreakV-28K.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of JailBreakV-28K. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(
        PROTOCOLS["jailbreakv_28k"],
        data,
        options,
        judged=lambda item: replace(item, prompt=item.truth.get("redteam_query", item.prompt)),
    )
