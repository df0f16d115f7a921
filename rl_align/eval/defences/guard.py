"""Our own guard in front of the target: a rewriter names threat and intent and writes the prompt that the target is asked instead.

The stages are those of `rl_align.guard.guard.Guard`, as its proxy runs them: images are decoded before they go anywhere, the
rewriter is asked as in training, its rewrite is disarmed for the target's template. The rewriter is any model; the target is the
evaluated one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.solver import Solver, solver

from rl_align.endpoints.types import Completer, Completion, EndpointError, FailureReason, Message, Sampling
from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.openai_turns import content_of, to_inspect, to_openai
from rl_align.eval.defences.partners import Partner, PartnerFailed
from rl_align.eval.defences.prompts import load
from rl_align.eval.defences.turns import completion_of
from rl_align.guard.config import GuardConfig, ImagesConfig, ImageUrls, RewritingConfig
from rl_align.guard.errors import GuardError
from rl_align.guard.guard import Guard
from rl_align.schema import Rewrite


class _Seat(Completer):
    """The rewriter as the guard calls it, through the case, which counts the call."""

    def __init__(self, case: Case, rewriter: Partner):
        self._case, self._rewriter = case, rewriter

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
        *,
        schema: Mapping[str, Any] | None = None,
        version: str = "",
        sample: int = 0,
    ) -> Completion:
        """See `Completer`."""
        asked, settings = to_inspect(messages), {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
        try:
            output = await self._case.partner(self._rewriter, "rewrite", asked, **settings)
        except PartnerFailed as failed:
            raise EndpointError(FailureReason.server, str(failed)) from failed
        self._case.ledger.note("transcript", output.completion)
        return completion_of(output)


@solver
def guard(
    rewriter_model: str | None = None,
    rewriter_base_url: str | None = None,
    rewriter_tokens: int = 768,
    temperature: float = 0.0,
    strict: bool = False,
    prompt: str | None = None,
    special_tokens: Sequence[str] = (),
    on_failure: str = CLOSED,
    seed: int | None = None,
) -> Solver:
    """Two calls. `flagged` is whether the rewriter names a policy at risk.

    Args:
        rewriter_model: The rewriter, see `partners.py`; by default Inspect's role `rewriter`.
        rewriter_base_url: Where it is served.
        rewriter_tokens: Longest transcript of it.
        temperature: Of the rewriter.
        strict: Take only a transcript that follows the grammar exactly.
        prompt: File that replaces the rewriter's system message, which is training's, for a rewriter that was not trained here.
        special_tokens: Spellings of the models' special tokens to break beside the usual ones.
        on_failure: closed or open, where there is no rewrite, or an image cannot be read; open asks the person's own prompt.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    rewriter = Partner("rewriter", rewriter_model, rewriter_base_url)
    rewriting = RewritingConfig(
        max_tokens=rewriter_tokens, temperature=temperature, strict=strict, special_tokens=list(special_tokens)
    )
    version = "training"
    if prompt is not None:
        system = load("rewriter.v1", (), prompt)
        rewriting.system, version = system.text, system.version
    rewriting.check("guard")
    # A sample's own pictures are shown; nothing is ever fetched for it.
    cfg = GuardConfig(rewriting=rewriting, images=ImagesConfig(urls=ImageUrls.refuse))

    async def defend(case: Case) -> Reply:
        asked = to_openai(case.messages)
        async with Guard(_Seat(case, rewriter), cfg=cfg) as stages:
            try:
                prepared = await stages.prepare(asked)
            except GuardError as error:
                role = "rewriter" if str(error.code).startswith("rewriter") else "guard"
                raise PartnerFailed(role, str(error.code), f"{error.message} {error.detail}".strip()) from error
        analysis = prepared.rewriting.analysis
        if analysis is not None:
            _note(case, analysis)
        changed = (
            turn if new is old else turn.model_copy(update={"content": content_of(new["content"])})
            for turn, old, new in zip(case.messages, asked, prepared.messages, strict=True)
        )
        return await case.answer(list(changed))

    return defended("guard", defend, prompts={"rewriter": version}, on_failure=on_failure, seed=seed)


def _note(case: Case, analysis: Rewrite) -> None:
    case.ledger.flagged = analysis.policy is not None
    case.ledger.note("policy", str(analysis.policy or "none"))
    for name, text in (("intent", analysis.intent), ("rewrite", analysis.rewrite)):
        case.ledger.note(name, text or "")
