"""Visual grounding, 1 to 5: whether description and reasoning rest on what the images show. The first axis of MSR-Align's filter.

The paper (arXiv 2506.19257) names its axes and publishes neither prompts nor scale: both are ours. score = (grade - 1) / 4.
"""

from __future__ import annotations

from reward.judges.preset import Setting, not_applicable, nothing_shown
from reward.judges.rubric import Question, Rubric
from reward.judges.types import JudgeUnscored, JudgeVerdict, Shown
from rl_align.schema import Item, Response

DEGREES = 5


def _ask(preset: Rubric, item: Item, shown: Shown, setting: Setting) -> Question | JudgeVerdict | JudgeUnscored:
    if not isinstance(shown, Response) or not item.images:
        return not_applicable("no images are answered")
    if not shown.answer:
        return nothing_shown(preset, "no answer")
    parts = {"description": shown.description, "thinking": shown.think, "assessment": shown.assessment, "answer": shown.answer}
    return Question({"prompt": item.prompt, **parts}, {})


PRESET = Rubric(
    name="visual_grounding",
    template="visual_grounding.v1",
    labels={str(g): (g - 1) / (DEGREES - 1) for g in range(1, DEGREES + 1)},
    ordinal=True,
    material=("prompt", "description", "thinking", "assessment", "answer"),
    given=(),
    ask=_ask,
)
