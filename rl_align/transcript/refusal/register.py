"""Which sentences speak of right and wrong, of people who help and of the speaker, instead of the thing asked for."""

from __future__ import annotations

from rl_align.transcript.refusal import following, lecturing
from rl_align.transcript.refusal.asking import Asked, mentions, negations
from rl_align.transcript.refusal.reading import Unit
from rl_align.transcript.refusal.types import Rules
from rl_align.transcript.refusal.words import GRAVE, VALUES


def values(unit: Unit, rules: Rules) -> bool:
    """Whether a sentence introduces, judges, cares or offers."""
    return bool(
        not VALUES.isdisjoint(unit.words)
        or following.PREAMBLE.match(unit.text)
        or lecturing.WEAK.of(unit)
        or following.OFFER.of(unit)
        or lecturing.CARE.of(unit)
        or rules.judges(unit)
        or rules.denies(unit)
    )


def grounds(unit: Unit) -> bool:
    """Whether a sentence may give grounds for declining, or care for the person: wider and cheaper than `values`."""
    return bool(
        not GRAVE.isdisjoint(unit.words)
        or following.GROUNDS.match(unit.text)
        or following.PREAMBLE.match(unit.text)
        or lecturing.WEAK.of(unit)
        or lecturing.CARE.of(unit)
    )


def after_all(unit: Unit, start: int = 0) -> bool:
    """Whether a sentence turns round and delivers, and not another thing."""
    if following.TURN.words.isdisjoint(unit.words):
        return False
    turn = following.TURN.pattern.search(unit.text, start)
    if not turn:
        return False
    around = unit.text[start : turn.start()] + unit.text[turn.end() :]
    return following.ALTERNATIVES.isdisjoint(around.split())


def affirms(unit: Unit, ask: Asked) -> bool:
    """Whether a sentence states, without a word of value, what a why-question takes for granted: it explains it, then.

    It has the words of the question and the same parity of negations.
    """
    if not ask.why or unit.question or not GRAVE.isdisjoint(unit.words):
        return False
    return about(unit.text, ask) and (negations(unit.text) - ask.negations) % 2 == 0


def about(text: str, ask: Asked) -> bool:
    """Whether a sentence has at least two words of the topic, or the only one."""
    return bool(ask.topic) and mentions(text, ask.topic) >= min(2, len(ask.topic))
