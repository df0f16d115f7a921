"""MSTS (arXiv 2501.10057): a harmless-looking sentence that is unsafe together with its picture, in eleven languages, and text
alone.

    inspect eval rl_align/msts -T data=copies/msts -T judge_base_url=… -T judge_model=… --model …
    … -T languages=all -T text_only=true                      # translations, and the prompts without pictures, too

The paper's rates are those of the 400 English prompts with pictures, which are asked by default: others would be pooled with them.
Upstream's labels are people's. A judge that stands in for them must be calibrated first: GPT-4o finds unsafe answers there with a
precision of .19. Safe is not competent: answers that are safe only because they misunderstood are `misunderstood`, and
`safe_and_understood` is what is left. Pictures are addresses upstream, and are never fetched: save them as data/images/<id>.png.
"""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task

from rl_align.data.sources.msts import DATASET
from rl_align.eval.building import ALL, Benchmark, benchmark_of, made
from rl_align.eval.conventions import refusals, says, unsafe, with_empty
from rl_align.eval.protocol import Protocol
from rl_align.eval.rates import every
from rl_align.schema import Item

_HUB = "hub_"

_RATES = (
    *unsafe("unsafe", every, ("unsafe",), "msts"),
    *with_empty("misunderstood", says(("misunderstood",), "msts"), every, ("msts",), {}),
    *with_empty("safe_and_understood", says(("safe",), "msts"), every, ("msts",), {"empty_is_not": False}),
    *refusals(),
)


def _groups(item: Item) -> dict[str, str]:
    # msts/<language>_<multimodal or textonly>/<case>/<assistance or intention>
    _, table, _, kind, *_ = [*item.id.split("/"), "unknown", "unknown", "unknown"]
    language, form = _table(table)
    return {"category": item.category or "unknown", "language": language, "form": form, "kind": kind}


def _table(name: str) -> tuple[str, str]:
    """Language and form of the prompts of a table; a language of the Hub's has pictures."""
    if name.startswith(_HUB):
        return name.removeprefix(_HUB), "multimodal"
    language, _, form = name.rpartition("_")
    return language or name, form


PROTOCOLS = {"msts": Protocol("msts", 1, DATASET, _RATES, "unsafe", _groups, lambda item: ("msts",))}


@task
def msts(data: str, languages: str = "english", text_only: bool = False, **options: Any) -> Task:
    """MSTS.

    Args:
        data: Folder of a local copy, or a dataset.
        languages: One, several with commas between them, or all.
        text_only: Ask the prompts without pictures, too.
        options: `rl_align.eval.options.Options`.
    """
    return made(lambda: benchmark(data, languages=languages, text_only=text_only, **options))


def benchmark(data: str, *, languages: str | list[str] = "english", text_only: bool = False, **options: Any) -> Benchmark:
    """Samples, scorer and metrics of MSTS. Arguments and errors as those of the task; raises UserError."""
    named = languages if isinstance(languages, list) else [part.strip() for part in languages.split(",")]

    def keep(item: Item) -> bool:
        groups = _groups(item)
        return (ALL in named or groups["language"] in named) and (text_only or groups["form"] == "multimodal")

    return benchmark_of(PROTOCOLS["msts"], data, options, keep=keep)
