"""The scorer of every benchmark: it makes the record of an answer, and the metrics are computed from the records.

Its value is a word, not a number: what the headline rate of the benchmark says of the answer (yes, no, unscored, or no case).
Inspect would leave a sample without a number out of all metrics, and with it what must be counted.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from inspect_ai.model import ContentImage
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from rl_align.eval.asking import generated_tokens
from rl_align.eval.benchmarks import protocol
from rl_align.eval.judge import EvalJudge
from rl_align.eval.rates import Rate, Record
from rl_align.eval.scorers.judged import Desk
from rl_align.eval.scorers.metrics import counts, groups, intervals, rates
from rl_align.eval.scorers.record import record
from rl_align.schema import Behaviour, ImageRef, Item

#: Where a defence keeps its own record in a sample's store.
DEFENCE = "defence"

#: Told of every new record.
Told = Callable[[dict[str, Any]], None]


class Judging:
    """Makes the records.

    Args:
        judge: The judge; None leaves its metrics unscored.
        told: Called with every record.
    """

    def __init__(self, judge: EvalJudge | None, told: Told | None = None):
        self.desk, self.told = Desk(judge), told

    async def __call__(self, state: TaskState, target: Target) -> Score:
        """The record of one answer, as metadata of its score."""
        made = await record(
            state.metadata,
            item_of(state),
            state.output.completion,
            self.desk,
            epoch=state.epoch,
            stop=str(state.output.stop_reason) if state.output.choices else "unknown",
            tokens=generated_tokens(state),
            defence=state.store.get(DEFENCE),
        )
        if self.told is not None:
            self.told(made)
        headline = protocol(made["benchmark"]).headline
        return Score(
            value=shown(headline, made), answer=made["answer"], explanation=explained(headline, made), metadata={"record": made}
        )


def shown(rate: Rate, made: Record) -> str:
    """What a rate says of one record, in a word."""
    if not rate.case(made):
        return "no case"
    value = rate.counts(made)
    if value is None:
        return "unscored"
    return f"{value:.3f}" if rate.mean else ("yes" if value else "no")


@scorer(metrics=[rates(), intervals(), groups(), counts()])
def benchmark(judge: dict[str, Any] | None = None) -> Scorer:
    """The scorer of a benchmark. It reads the sample alone, so a log can be scored again, with another judge.

    Args:
        judge: As `EvalJudge.plain` gives it; None for none.
    """
    return Judging(EvalJudge.of(judge) if judge is not None else None)


def item_of(state: TaskState) -> Item:
    """What the sample asked, before any defence changed it. A picture that a log has not kept cannot be read, and no judge is
    asked.
    """
    told = state.metadata
    turns = [] if isinstance(state.input, str) else state.input
    parts = [part for turn in turns if not isinstance(turn.content, str) for part in turn.content]
    images = tuple(_image(part.image) for part in parts if isinstance(part, ContentImage))
    return Item(
        id=told["item_id"],
        images=images,
        prompt=told["prompt"],
        dataset=told["dataset"],
        split=told["split"],
        expected=tuple(Behaviour(name) for name in told["expected"]),
        harmful=told["harmful"],
        reference=told["reference"],
        category=told["category"],
        truth=told["truth"],
    )


def _image(uri: str) -> ImageRef:
    try:
        return ImageRef(data=base64.b64decode(uri.partition(",")[2], validate=True)) if uri.startswith("data:") else ImageRef()
    except binascii.Error:
        return ImageRef()


def explained(rate: Rate, made: Mapping[str, Any]) -> str:
    """A line for whoever looks at the log."""
    parts = [f"{rate.name}", f"refusal by the rules: {made['refusal'] or 'no answer'}"]
    parts += [
        f"{name}: {o.get('label') or 'unscored, ' + o['unscored']} {o.get('reason', '')}" for name, o in made["judged"].items()
    ]
    return "; ".join(parts)
