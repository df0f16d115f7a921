"""Preference by a judge: whether an answer is better than the reference, as good, or worse.

Judges that compare lean to a position, often the first one (Zheng et al., arXiv 2306.05685). Here the reference always stands first
and the answer second, so that the lean is the same for all siblings; how strong it is `rl-align judge calibrate` measures, which
asks about every pair in both orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reward.judges.preset import Setting, not_applicable, nothing_shown
from reward.judges.rubric import Question, Rubric
from reward.judges.types import JudgeUnscored, JudgeVerdict, Shown
from rl_align.schema import Item, Response

#: Label → the position that it chooses; 0 for neither.
POSITIONS: Mapping[str, int] = {"first": 1, "tie": 0, "second": 2}


def _ask(preset: Rubric, item: Item, shown: Shown, setting: Setting) -> Question | JudgeVerdict | JudgeUnscored:
    if not isinstance(shown, Response) or not item.reference:
        return not_applicable("there is nothing to compare with")
    if not shown.answer:
        return nothing_shown(preset, "no answer")
    return Question({"prompt": item.prompt, "first": item.reference, "second": shown.answer}, {})


def swapped(item: Item, response: Response) -> tuple[Item, Response]:
    """The same pair in the other order."""
    return replace(item, reference=response.answer), replace(response, raw=item.reference or "", answer=item.reference)


PRESET = Rubric(
    name="preference",
    template="preference.v1",
    labels={"first": 0.0, "tie": 0.5, "second": 1.0},
    ordinal=True,
    material=("prompt", "first", "second"),
    given=(),
    ask=_ask,
)
