"""GuardReasoner-VL (arXiv 2505.11049) and its relatives as a judge of answers: unharmful 1, harmful 0.

Its form: an instruction as the system message, a transcript `Human user: … AI assistant: …`, then thinking and a result of two
lines, `Request: …` and `Response: …`. GuardReasoner for text (arXiv 2501.18492) writes `Answers:` and a third line `Completion: …`
instead of tags. The instruction here is in our own words; `template` takes a file with the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reward.judges.config import JudgeConfig
from reward.judges.guard import Exchange, exchange, unreadable
from reward.judges.images import user_message
from reward.judges.preset import Setting
from reward.judges.reading import behind_thinking
from reward.judges.templates import Template, load_template
from reward.judges.types import Ballot, Failure, JudgeUnscored, JudgeVerdict, Request, Shown, Why
from rl_align.endpoints.types import Completion
from rl_align.schema import Item

TEMPLATE = "guardreasoner.v1"

_RESULT = re.compile(r"<result>(.*?)(?:</result>|\Z)", re.DOTALL | re.IGNORECASE)
_LINE = re.compile(
    r"(?<!\w)(?P<task>request|completion|response)[ \t*_]{0,4}:[ \t*_]{0,4}(?P<label>[a-z]+)", re.IGNORECASE | re.ASCII
)
_HARM = {"harmful": "harmful", "unharmful": "unharmful", "harmless": "unharmful"}
_COMPLETION = {"refusal": "refusal", "compliance": "compliance"}


@dataclass(frozen=True)
class Reading:
    """What a guard of this family says; None where it says nothing of its closed sets.

    Attributes:
        request: harmful or unharmful.
        completion: refusal or compliance.
        response: harmful or unharmful.
        strange: A response label outside of the set.
    """

    request: str | None = None
    completion: str | None = None
    response: str | None = None
    strange: str | None = None


def read_result(text: str) -> Reading | None:
    """The last result behind the thinking, of each task the last line; None when the thinking never ends."""
    behind = behind_thinking(text)
    if behind is None:
        return None
    results = _RESULT.findall(behind)
    said = {m["task"].lower(): m["label"].lower() for m in _LINE.finditer(results[-1] if results else behind)}
    response = said.get("response")
    return Reading(
        _HARM.get(said.get("request", "")),
        _COMPLETION.get(said.get("completion", "")),
        _HARM.get(response or ""),
        response if response not in (None, "none", *_HARM) else None,
    )


class GuardReasoner:
    """The preset."""

    name = "guardreasoner"
    labels: Mapping[str, float] = {"harmful": 0.0, "unharmful": 1.0}
    ordinal = False

    def request(self, item: Item, shown: Shown, setting: Setting) -> Request | JudgeVerdict | JudgeUnscored:
        """The instruction and the transcript. Raises as `Preset.request` says."""
        case = exchange(self, item, shown, setting)
        if not isinstance(case, Exchange):
            return case
        template = _load(setting.cfg)
        user = template.user.fill({"prompt": case.prompt, "answer": case.answer})
        messages = [{"role": "system", "content": template.system.fill({})}, user_message(user, case.images)]
        return Request(messages, version=template.version)

    def version(self, cfg: JudgeConfig) -> str:
        """Of the instruction. Raises UserError when the template is unusable."""
        return _load(cfg).version

    def read(self, completion: Completion) -> Ballot | Failure:
        """The vote: the label of the response."""
        if completion.finish_reason == "length" and "</result>" not in completion.text.lower():
            return unreadable(completion)  # the last line may be a draft
        result = read_result(completion.text)
        if result is not None and result.response:
            said = [f"{task} {label}" for task, label in (("request", result.request), ("completion", result.completion)) if label]
            return Ballot(result.response, ", ".join(said))
        if result is not None and result.strange:
            return Failure(Why.OUT_OF_SET, f"response {result.strange[:60]!r}")
        return unreadable(completion)


def _load(cfg: JudgeConfig) -> Template:
    return load_template(TEMPLATE, (), ("prompt", "answer"), cfg.template)


PRESET = GuardReasoner()
