"""What guard models have in common: a request and its answer are shown in the guard's own form, to which a fence would be foreign.

So nothing is fenced; control tokens, role labels and verdicts in a guard's format are broken in the texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from reward.judges.images import image_bytes
from reward.judges.preset import Preset, Setting, not_applicable, nothing_shown
from reward.judges.types import Failure, JudgeUnscored, JudgeVerdict, Shown, Why
from rl_align.endpoints.types import Completion
from rl_align.schema import Item, Response


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, disarmed.

    Attributes:
        prompt: The request.
        answer: The answer, behind the thinking where that is shown.
        images: Encoded images of the request, where they are shown.
    """

    prompt: str
    answer: str
    images: list[bytes]


def exchange(preset: Preset, item: Item, shown: Shown, setting: Setting) -> Exchange | JudgeVerdict | JudgeUnscored:
    """What a guard is shown, or the opinion where there is no answer. Raises OSError when an image cannot be read."""
    if not isinstance(shown, Response):
        return not_applicable("no answer is judged")
    if not shown.answer:
        return nothing_shown(preset, "no answer")
    cfg, clean = setting.cfg, setting.hardening.clean
    thought = f"{clean(shown.think)}\n\n" if cfg.show_thinking and shown.think else ""
    return Exchange(clean(item.prompt), f"{thought}{clean(shown.answer)}", image_bytes(item) if cfg.show_images else [])


def unreadable(completion: Completion) -> Failure:
    """No verdict in the guard's format: cut off, or something else was said."""
    return Failure(Why.TRUNCATED if completion.finish_reason == "length" else Why.BAD_OUTPUT, completion.text)
