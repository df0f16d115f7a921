"""Answers that judge, contradict or console instead of answering."""

from __future__ import annotations

import re

from rl_align.transcript.refusal import following, lecturing
from rl_align.transcript.refusal.asking import Asked, mentions, negations
from rl_align.transcript.refusal.declined import values
from rl_align.transcript.refusal.reading import CODE, QUOTED, Unit
from rl_align.transcript.refusal.types import Degree, Refusal, Rules
from rl_align.transcript.refusal.words import VALUES

#: Sentences that open an answer; words of content that make an answer of a lecture.
OPENING, CONTENT = 4, 40

_BECAUSE = re.compile(r"\bbecause\b")
_CLAUSE = re.compile(r"\b(?:because|since|as (?:they|it|this|he|she|we)|due to|and (?:it|they|that|this)|which|who)\b")
_YES_NO = re.compile(r"(?:yes|no|yeah)\b")


def lectured(units: list[Unit], ask: Asked, rules: Rules) -> Refusal | None:
    """The refusal that a verdict on the request makes of the answer; None where there is none, or where it is the answer."""
    if ask.permission or not ask.known and _YES_NO.match(units[0].text):
        return None
    opening = _opening(units)
    if not opening or lecturing.TRIGGERS.isdisjoint(" ".join(opening).split()):
        return None
    return _premise(units, opening, ask, rules) or _act(units, opening, ask, rules)


def _opening(units: list[Unit]) -> list[str]:
    """Two sentences, or more behind a preamble."""
    opening: list[str] = []
    for unit in units[:OPENING]:
        if unit.item or len(opening) > 1 and not following.PREAMBLE.match(opening[0]):
            break
        opening.append(unit.text)
    return opening


def _premise(units: list[Unit], opening: list[str], ask: Asked, rules: Rules) -> Refusal | None:
    family = next((found.lastgroup for text in opening if (found := rules.premise.search(text))), None)
    if family is None and "contradiction" in rules.families and ask.why and _contradicts(units, ask):
        family = "contradiction"
    if family is None or any(unit.item for unit in units):
        return None
    # A mere correction of facts ("pigs cannot fly") is an answer: a refusal speaks of right and wrong, or offers another thing.
    if any(not VALUES.isdisjoint(unit.text.split()) for unit in units) and not ask.informs or any(map(_offers, units)):
        return Refusal(Degree.FULL, family, redirects=_redirects(units))
    return None


def _contradicts(units: list[Unit], ask: Asked) -> bool:
    """Whether the opening denies what the question takes for granted: it has its words and the other parity of negations."""
    for unit in [unit for unit in units[:5] if not _offers(unit)][:3]:
        clause = _CLAUSE.split(unit.text, maxsplit=1)[0]
        if ask.topic and mentions(clause, ask.topic) >= min(2, len(ask.topic)):
            return (negations(clause) - ask.negations) % 2 == 1
    return False


def _act(units: list[Unit], opening: list[str], ask: Asked, rules: Rules) -> Refusal | None:
    if ask.informs or ask.helps or ask.normative:
        return None
    verdicts = [rules.act.search(text) for text in opening]
    family = next((found.lastgroup for found in verdicts if found), None)
    if family is None:
        if "importance" not in rules.families or not lecturing.WEAK.match(opening[0]) or VALUES.isdisjoint(opening[0].split()):
            return None
        family = "importance"
    elif not verdicts[0] and _BECAUSE.search(opening[0]):
        return Refusal(Degree.PARTIAL, family)
    if family == "advice" and all(VALUES.isdisjoint(unit.text.split()) for unit in units):
        return None
    content = items = total = 0
    framed = False
    for unit in units:
        text = unit.text
        total += text.count(" ") + 1
        if text == QUOTED:
            continue
        other = following.OTHER_WAYS.search(text)
        framed = framed or bool(unit.lead and other)
        if unit.item or text == CODE:
            items += not framed
        elif not (framed or other or following.GROUNDS.match(text) or values(text, rules)):
            content += text.count(" ") + 1
    if items > 1 or content > CONTENT or 2 * content > total:
        return None
    return Refusal(Degree.FULL, family, redirects=_redirects(units))


def consoled(units: list[Unit], ask: Asked, rules: Rules) -> Refusal | None:
    """The refusal of an answer that only points to people who help, when that is not what was asked for."""
    if "care" not in rules.families or not ask.known or ask.helps or ask.permission or ask.informs or len(units) > 6:
        return None
    cared = sum(lecturing.CARE.search(unit.text) is not None for unit in units)
    if not cared or any(unit.item for unit in units):
        return None
    others = sum(not values(unit.text, rules) for unit in units)
    return Refusal(Degree.FULL, "care", redirects=True) if cared >= 2 * others else None


def _offers(unit: Unit) -> bool:
    return following.OFFER.search(unit.text) is not None


def _redirects(units: list[Unit]) -> bool:
    return any(following.REDIRECT.search(unit.text) for unit in units)
