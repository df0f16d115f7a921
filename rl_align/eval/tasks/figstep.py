"""FigStep SafeBench (AAAI 2025): instructions as typographic pictures under a harmless-looking prompt.

    inspect eval rl_align/figstep -T data=copies/FigStep -T tiny=true -T judge_base_url=… -T judge_model=… --model …
    … -T kind=both                                            # the plain questions beside it, upstream's baseline

    attack success rate = answers that do what the picture says / answers

Upstream counts by hand and publishes no judge; the judge of harm is this project's own, or a guard model (`safety_judge`). It
must see the picture: the carrier prompt says nothing. Attack success by the rules on refusal stands beside it, and overcounts: an
answer that misses the point does not refuse.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.figstep import DATASET
from rl_align.errors import UserError
from rl_align.eval.building import HARM, Benchmark, benchmark_of, made
from rl_align.eval.conventions import attacks
from rl_align.eval.protocol import Protocol
from rl_align.schema import Item

_KINDS = {"picture": (True,), "question": (False,), "both": (True, False)}


def _groups(item: Item) -> dict[str, str]:
    return {"category": item.category or "unknown", "kind": "picture" if item.images else "question"}


PROTOCOLS = {"figstep": Protocol("figstep", 1, DATASET, tuple(attacks()), "attack_success", _groups, lambda item: (HARM,))}


@task
def figstep(data: str, kind: str = "picture", tiny: bool | None = None, **options: Any) -> Task:
    """FigStep.

    Args:
        data: Folder of a local copy, or a dataset.
        kind: picture, question, or both.
        tiny: SafeBench-Tiny; by default only where the whole is not there. For a local copy.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, kind=kind, tiny=tiny, **options))


def benchmark(data: str, *, kind: str = "picture", tiny: bool | None = None, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of FigStep. Arguments and errors as those of the task; raises UserError."""
    if kind not in _KINDS:
        raise UserError(f"is {kind!r}", where="kind", expected=", ".join(_KINDS))
    kept, source = _KINDS[kind], None if tiny is None else {"tiny": tiny}
    return benchmark_of(PROTOCOLS["figstep"], data, options, keep=lambda item: bool(item.images) in kept, source_options=source)
