"""MOSSBench (arXiv 2406.17806): harmless pictures and questions that oversensitive models refuse. For tests only: never train on
it.

    inspect eval rl_align/mossbench -T data=copies/MOSSBench -T judge_base_url=… -T judge_model=… --model …

Refusal rate overall and for each kind of oversensitivity. Upstream's judge sees the picture and says refusal or not, and an empty
answer counts as one (`over_refusal_empty_refuses`); here partial refusals have a label of their own. The unsafe contrasts are the
split `contrast` (`splits=all`); there, answers that comply are attacks that succeed.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.mossbench import DATASET
from rl_align.eval.building import Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks_by_rules, benign, harmful, judged_refusals, refusals, unsafe
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item

_RATES = (
    *judged_refusals(benign, "compliance", ("full_refusal",), ("partial_refusal",), "over_refusal"),
    *refusals(benign, "over_refusal_by_rules"),
    *unsafe("contrast_complied", harmful, ("full_compliance",), "compliance"),
    *attacks_by_rules(),
)


def _groups(item: Item) -> dict[str, str]:
    return {"kind": item.category} if item.category else {}


PROTOCOLS = {
    "mossbench": Protocol("mossbench", 1, DATASET, _RATES, "over_refusal", _groups, lambda item: ("compliance",), splits=("test",))
}


@task
def mossbench(data: str, **options: Any) -> Task:
    """MOSSBench.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MOSSBench. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["mossbench"], data, options)
