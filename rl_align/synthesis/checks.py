"""Checks of a responder's transcript by rule, before a judge is paid: grammar, citations, behaviour, consistency, markers."""

from __future__ import annotations

from reward import behaviour, consistency
from reward.judges.untrusted import dangers
from reward.unsafe import resembles
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import ACTION_BEHAVIOUR, Behaviour, Item, Response, Verdict
from rl_align.synthesis.config import ChecksConfig
from rl_align.synthesis.types import Fell
from rl_align.transcript.behaviour import accepts
from rl_align.transcript.responder import parse_response, render_response

FORMAT, CITATION, BEHAVIOUR, CONSISTENCY = "format", "citation", "behaviour", "consistency"
STAGES = (FORMAT, CITATION, BEHAVIOUR, CONSISTENCY)


def check(item: Item, response: Response, catalogue: Catalogue, cfg: ChecksConfig) -> None:
    """Raises Fell for the first check that a transcript does not pass, in the order of `STAGES`.

    Args:
        item: What was asked; its citations are the policies at stake, known or identified.
        response: The transcript, parsed.
        catalogue: Policies that it may cite.
        cfg: Which checks are made.
    """
    _check_format(response, cfg)
    _check_citations(item, response, catalogue, cfg)
    if cfg.behaviour:
        _check_behaviour(item, response)
    disagrees = consistency.score(item, response, catalogue)
    if cfg.consistency and isinstance(disagrees, Verdict) and disagrees.score < 0:
        raise Fell(CONSISTENCY, "thinking_disagrees", disagrees.reason)


def canonical(response: Response, catalogue: Catalogue, prompt: str | None = None) -> str:
    """The transcript to learn: the same parts in the canonical grammar, whatever variant of it the model wrote.

    Args:
        response: The transcript, parsed.
        catalogue: Policies that it may cite.
        prompt: What it was parsed in the light of.

    Raises:
        Fell: The parts hold a marker of the grammar, or read otherwise than before.
    """
    parts = {"think": response.think, "description": response.description, "assessment": response.assessment}
    try:
        text = render_response(
            **{name: part or "" for name, part in parts.items()},
            answer=response.answer or "",
            safe=response.behaviour is not Behaviour.COMPLY,
        )
    except UserError as error:
        raise Fell(FORMAT, "marker_in_part", str(error)) from error
    again = parse_response(text, catalogue, prompt=prompt)
    if not again.well_formed or (again.citations, again.behaviour) != (response.citations, response.behaviour):
        raise Fell(FORMAT, "ambiguous", ", ".join(again.problems))
    return text


def _check_format(response: Response, cfg: ChecksConfig) -> None:
    if not response.well_formed:
        raise Fell(FORMAT, response.problems[0] if response.problems else "no_behaviour", ", ".join(response.problems))
    if cfg.markers:
        for name in ("think", "description", "assessment", "answer"):
            part = getattr(response, name) or ""
            if found := dangers(part):
                raise Fell(FORMAT, "marker", f"{name}: {part[found[0] : found[0] + 60]}")


def _check_citations(item: Item, response: Response, catalogue: Catalogue, cfg: ChecksConfig) -> None:
    for citation in response.citations:
        if not citation.known:
            raise Fell(CITATION, "invented_policy", str(citation))
        if citation.rule is not None and catalogue.rule(citation) is None:
            raise Fell(CITATION, "invented_rule", str(citation))
    if not cfg.citation:
        return
    if not item.citations:
        if response.citations and item.harmful is False:
            raise Fell(CITATION, "cited_on_benign", str(response.citations[0]))
        return
    if not response.citations:
        raise Fell(CITATION, "nothing_cited")
    wanted = {policy.id for policy in map(catalogue.resolve, item.policies) if policy}
    for citation in response.citations:
        if citation.policy not in wanted:
            raise Fell(CITATION, "wrong_policy", f"{citation}; at stake: {', '.join(sorted(wanted))}")
        if citation.rule is None:
            raise Fell(CITATION, "no_rule", str(citation))
    demanded = {ACTION_BEHAVIOUR[rule.action] for c in response.citations if (rule := catalogue.rule(c))}
    if accepts(demanded, response) not in demanded:
        shown = ", ".join(str(c) for c in response.citations)
        raise Fell(CITATION, "rule_demands_otherwise", f"{shown}; the answer shows {response.behaviour}")


def _check_behaviour(item: Item, response: Response) -> None:
    if response.fake_refusal:
        raise Fell(BEHAVIOUR, "fake_refusal")
    verdict = behaviour.score(item, response)
    if not isinstance(verdict, Verdict) or verdict.score == behaviour.HIGH:
        return
    if verdict.score == behaviour.BARE:
        raise Fell(BEHAVIOUR, "bare_refusal", response.answer or "")
    if item.harmful and resembles(item, response):
        raise Fell(BEHAVIOUR, "unsafe_answer", verdict.reason)
    raise Fell(BEHAVIOUR, f"{response.behaviour}_shown", verdict.reason)
