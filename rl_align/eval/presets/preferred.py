"""Which of two answers is better, the model's or the one it is compared with: asked in both orders, as judges lean to a position.

An answer wins, or loses, where both orders agree; else it is a tie (Zheng et al., arXiv 2306.05685).
"""

from __future__ import annotations

from reward.judges.preset import Setting, not_applicable
from reward.judges.rubric import Question, Rubric
from reward.judges.types import JudgeUnscored, JudgeVerdict, Shown
from rl_align.eval.presets.forms import PROMPTS, about
from rl_align.schema import Item

#: Preset → (where the judged answer stands, where the other one does).
SEATS = {"preferred_first": ("first", "second"), "preferred_second": ("second", "first")}


def _ask(preset: Rubric, item: Item, shown: Shown, setting: Setting) -> Question | JudgeVerdict | JudgeUnscored:
    if not item.reference:
        return not_applicable("no answer to compare with")
    own, other = SEATS[preset.name]
    return about(preset, shown, {"prompt": item.prompt, own: getattr(shown, "answer", None), other: item.reference})


def _preset(name: str, labels: dict[str, float]) -> Rubric:
    return Rubric(name, "preferred.v1", labels, True, ("prompt", "first", "second"), (), _ask, PROMPTS)


FIRST = _preset("preferred_first", {"second": 0.0, "tie": 0.5, "first": 1.0})
SECOND = _preset("preferred_second", {"first": 0.0, "tie": 0.5, "second": 1.0})
PRESETS = (FIRST, SECOND)
