"""How guard models are asked about a request or an answer, and read: Llama Guard's form, GuardReasoner's, or any general model's.

The first two are trained on a form of their own, to which a fence would be foreign: texts are disarmed and nothing is fenced, as in
`reward/judges/guard.py`. Their answers are read by the presets of `reward/judges/presets`. `label` asks a general model, fenced,
for a verdict of a closed set. A guard that says neither yes nor no has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ModelOutput

from reward.judges.guard import unreadable
from reward.judges.presets import guardreasoner, llama_guard
from reward.judges.templates import load_template
from reward.judges.types import Ballot, Failure
from rl_align.errors import UserError
from rl_align.eval.defences.case import Case
from rl_align.eval.defences.partners import Partner, PartnerFailed
from rl_align.eval.defences.prompts import Question, clean
from rl_align.eval.defences.turns import completion_of, user_turn
from rl_align.eval.defences.verdicts import HARM, label_said

#: GuardReasoner's word for an answer that there is none of yet.
_NO_ANSWER = "None"


class Form(Protocol):
    """One way to ask a guard.

    Attributes:
        prompts: What it asks → version of the prompt.
    """

    prompts: Mapping[str, str]

    def messages(self, prompt: str, answer: str | None, images: Sequence[str]) -> list[ChatMessage]:
        """What the guard is sent about a request, or about the answer to it where there is one."""
        ...

    def flagged(self, role: str, output: ModelOutput, answered: bool) -> bool:
        """Whether the guard found harm, in the answer if it was shown one. Raises PartnerFailed when it did not say."""
        ...


class LlamaGuard:
    """Llama Guard 3 and 4, whose chat template writes its prompt: `safe`, or `unsafe` and categories, about the last turn."""

    prompts: Mapping[str, str] = {}

    def messages(self, prompt: str, answer: str | None, images: Sequence[str]) -> list[ChatMessage]:
        """See `Form`."""
        asked: list[ChatMessage] = [user_turn(clean(prompt), images)]
        return asked if answer is None else [*asked, ChatMessageAssistant(content=clean(answer))]

    def flagged(self, role: str, output: ModelOutput, answered: bool) -> bool:
        """See `Form`."""
        return _vote(role, llama_guard.PRESET.read(completion_of(output))).label == "unsafe"


class GuardReasoner:
    """GuardReasoner-VL and its relatives, which reason, and then label request and response on a line each.

    Args:
        prompt: File that replaces the prompt, such as the model's own.
    """

    def __init__(self, prompt: str | None):
        self._template = load_template(guardreasoner.TEMPLATE, (), ("prompt", "answer"), prompt)
        self.prompts: Mapping[str, str] = {"guard": self._template.version}

    def messages(self, prompt: str, answer: str | None, images: Sequence[str]) -> list[ChatMessage]:
        """See `Form`."""
        text = self._template.user.fill({"prompt": clean(prompt), "answer": _NO_ANSWER if answer is None else clean(answer)})
        return [ChatMessageSystem(content=self._template.system.fill({})), user_turn(text, images)]

    def flagged(self, role: str, output: ModelOutput, answered: bool) -> bool:
        """See `Form`."""
        completion = completion_of(output)
        if answered:
            return _vote(role, guardreasoner.PRESET.read(completion)).label == "harmful"
        result = guardreasoner.read_result(completion.text)
        label = result.request if result is not None else None
        return _vote(role, Ballot(label) if label else unreadable(completion)).label == "harmful"


class Labelled:
    """Any general model.

    Args:
        request_prompt: File that replaces how it is asked about a request.
        answer_prompt: File that replaces how it is asked about an answer.
        fence_key_file: See `prompts.Question`.
    """

    def __init__(self, request_prompt: str | None, answer_prompt: str | None, fence_key_file: str | None):
        self._request = Question("flag_request.v1", ("prompt",), request_prompt, fence_key_file)
        self._answer = Question("flag_answer.v1", ("prompt", "answer"), answer_prompt, fence_key_file)
        self.prompts: Mapping[str, str] = {"request": self._request.version, "answer": self._answer.version}

    def messages(self, prompt: str, answer: str | None, images: Sequence[str]) -> list[ChatMessage]:
        """See `Form`."""
        if answer is None:
            return self._request.messages({"prompt": prompt}, images)
        return self._answer.messages({"prompt": prompt, "answer": answer}, images)

    def flagged(self, role: str, output: ModelOutput, answered: bool) -> bool:
        """See `Form`."""
        return label_said(role, output, HARM) == "harmful"


FORMS = ("llama_guard", "guardreasoner", "label")


def form_of(
    name: str, where: str, request_prompt: str | None = None, answer_prompt: str | None = None, fence_key_file: str | None = None
) -> Form:
    """The form of this name.

    Args:
        name: One of FORMS.
        where: The argument that says it, for the error.
        request_prompt: File that replaces the prompt about requests.
        answer_prompt: File that replaces the prompt about answers. `guardreasoner` has one prompt for both, `llama_guard` none.
        fence_key_file: See `prompts.Question`; `label` only.

    Raises:
        UserError: No such form, or a prompt that it does not have.
    """
    if name not in FORMS:
        raise UserError(f"is {name!r}", where=where, expected=f"one of {', '.join(FORMS)}")
    replaced = [prompt for prompt in (request_prompt, answer_prompt) if prompt]
    if name == "label":
        return Labelled(request_prompt, answer_prompt, fence_key_file)
    if len(replaced) > (name == "guardreasoner"):
        most = "one at most" if name == "guardreasoner" else "none: the guard's chat template writes it"
        raise UserError(f"{len(replaced)} prompts are given for {name}", where=where, expected=most)
    return GuardReasoner(replaced[0] if replaced else None) if name == "guardreasoner" else LlamaGuard()


@dataclass(frozen=True)
class Watch:
    """A guard model and how it is asked.

    Attributes:
        partner: Who it is.
        form: How it is asked and read.
        max_tokens: Longest answer of it, thinking included.
        images: Whether it is shown images.
    """

    partner: Partner
    form: Form
    max_tokens: int
    images: bool

    async def flags(self, case: Case, prompt: str, answer: str | None, images: Sequence[str]) -> bool:
        """Whether the guard flags a request, or the answer to it. What it said is noted. Raises PartnerFailed as `Form` says."""
        asked = self.form.messages(prompt, answer, images if self.images else ())
        purpose = "check_request" if answer is None else "check_answer"
        output = await case.partner(self.partner, purpose, asked, max_tokens=self.max_tokens)
        case.ledger.note(purpose, output.completion)
        return self.form.flagged(self.partner.role, output, answer is not None)


def _vote(role: str, vote: Ballot | Failure) -> Ballot:
    if isinstance(vote, Failure):
        raise PartnerFailed(role, str(vote.why), vote.detail)
    return vote
