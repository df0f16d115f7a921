"""FigStep-Pro (AAAI 2025): FigStep's pictures cut into pieces that say nothing alone.

    inspect eval rl_align/figstep_pro -T data=copies/FigStep -T judge_base_url=… -T judge_model=… --model …

Measured as FigStep is. The judge is shown all pieces. The copy is FigStep's own, its zip of pieces unpacked.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.figstep_pro import DATASET
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks
from rl_align.eval.protocol import Protocol

PROTOCOLS = {"figstep_pro": Protocol("figstep_pro", 1, DATASET, tuple(attacks()), "attack_success", judges=lambda item: (HARM,))}


@task
def figstep_pro(data: str, **options: Any) -> Task:
    """FigStep-Pro.

    Args:
        data: Folder of a local copy, or a dataset.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, **options))


def benchmark(data: str, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of FigStep-Pro. Arguments and errors as those of the task; raises UserError."""
    return benchmark_of(PROTOCOLS["figstep_pro"], data, options)
