"""How far an answer refuses, by the project's rules (`transcript/refusal`): full, partial or none."""

from __future__ import annotations

from typing import Any

from rl_align.eval.answers import Answer
from rl_align.transcript.refusal import classify_refusal


def read_refusal(answer: Answer, prompt: str) -> dict[str, Any]:
    """Keys of the record: refusal (None where there is no answer: nothing was said, so nothing declined), refusal_family (the rules
    that decided), fake_refusal (it declines and then delivers; its degree is none).

    Args:
        answer: The judged text.
        prompt: What the person asked; some answers refuse only in its light.
    """
    if not answer.text:
        return {"refusal": None, "refusal_family": None, "fake_refusal": False}
    found = classify_refusal(answer.text, prompt)
    return {"refusal": found.degree.value, "refusal_family": found.family, "fake_refusal": found.fake}
