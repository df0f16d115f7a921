"""What the presets of benchmarks have in common: where their prompts are, and the question about an answer to a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reward.judges.preset import Setting, not_applicable, nothing_shown
from reward.judges.rubric import Question, Rubric
from reward.judges.types import JudgeUnscored, JudgeVerdict, Shown
from rl_align.schema import Item, Response

PROMPTS = str(Path(__file__).parent.with_name("prompts"))


def ask_answer(preset: Rubric, item: Item, shown: Shown, setting: Setting) -> Question | JudgeVerdict | JudgeUnscored:
    """Shows the answer, and of the request what the preset wants of it."""
    return about(preset, shown, {"prompt": item.prompt, "reference": item.reference})


def about(
    preset: Rubric, shown: Shown, known: Mapping[str, str | None], given: Mapping[str, str] | None = None
) -> Question | JudgeVerdict | JudgeUnscored:
    """The question about an answer, or the opinion where there is none.

    Args:
        preset: Which of the texts it wants.
        shown: The answer.
        known: Texts that others wrote, by placeholder.
        given: This project's own texts, by placeholder.
    """
    if not isinstance(shown, Response):
        return not_applicable("no answer is judged")
    if not shown.answer:
        return nothing_shown(preset, "no answer")
    texts = {**known, "answer": shown.answer}
    return Question({name: texts[name] for name in preset.material}, given or {})


def rubric(name: str, labels: Mapping[str, float], *, ordinal: bool) -> Rubric:
    """A preset that shows request, images and answer; its prompt is version 1 of its name."""
    material = ("prompt", "answer")
    return Rubric(name, f"{name}.v1", labels, ordinal, material, (), ask_answer, PROMPTS)
