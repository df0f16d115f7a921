"""Helpers that build patterns from plain word lists, and the words that several rules share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rl_align.transcript.refusal.reading import Unit


def any_of(words: str) -> str:
    """A group of alternatives from words parted by spaces; `_` stands for a space inside one of them."""
    return "(?:" + "|".join(word.replace("_", " ") for word in words.split()) + ")"


def union(*patterns: str) -> str:
    """One pattern that matches where any of these does."""
    return "|".join(patterns)


class Cue(NamedTuple):
    """An expression, and words that are in every sentence that it matches: looking words up is the cheaper test."""

    pattern: re.Pattern[str]
    words: frozenset[str]
    also: frozenset[str] | None = None
    family: str = ""

    def of(self, unit: Unit) -> re.Match[str] | None:
        """Its first match in a sentence."""
        if self.words.isdisjoint(unit.words) or self.also and self.also.isdisjoint(unit.words):
            return None
        return self.pattern.search(unit.text)


def cue(words: str, *patterns: str, also: str = "", family: str = "") -> Cue:
    """The cue of these patterns; one of `words` must be in the sentence, and one of `also`."""
    return Cue(re.compile(union(*patterns)), frozenset(words.split()), frozenset(also.split()) or None, family)


class Cues:
    """Several cues, of which those that may match a sentence are found by its words, in their order."""

    def __init__(self, cues: Iterable[Cue]) -> None:
        self._cues = tuple(cues)
        places: dict[str, list[int]] = {}
        for place, one in enumerate(self._cues):
            for word in one.words:
                places.setdefault(word, []).append(place)
        self._places = {word: tuple(found) for word, found in places.items()}
        self._words = frozenset(places)

    def matches(self, unit: Unit) -> Iterator[tuple[Cue, re.Match[str]]]:
        """The cues that match, each with its first match."""
        words = unit.words & self._words
        if not words:
            return
        if len(words) == 1:
            places: Iterable[int] = self._places[next(iter(words))]
        else:
            places = sorted({place for word in words for place in self._places[word]})
        for place in places:
            one = self._cues[place]
            if one.also and one.also.isdisjoint(unit.words):
                continue
            match = one.pattern.search(unit.text)
            if match:
                yield one, match


#: An adverb, by its ending.
LY = r"\w{2,14}ly"
#: The harm-and-rights vocabulary. A sentence that holds one of these speaks of right and wrong, not of the thing asked for.
VALUES = frozenset(
    """respect respectful respectfully respecting dignity rights equality equal equally equity inclusive inclusion inclusivity
    diversity diverse discrimination discriminate discriminated discriminating discriminatory prejudice prejudices prejudiced
    bias biases biased stereotypes stereotype stereotyping harm harms harmed harming harmful hurt hurtful hurting danger dangers
    dangerous wellbeing well-being consequences illegal illegality unlawful lawful legality legally ethical ethically unethical
    ethics moral immoral morally morality privacy consent violence violent nonviolent non-violent abuse abusive crime crimes
    criminal punishment penalties fines imprisonment prison jail offensive hate hateful hatred empathy compassion compassionate
    kindness tolerance acceptance responsible responsibly responsibility irresponsible integrity justice fairness unfair unjust
    freedom freedoms inappropriate acceptable unacceptable constructive peaceful peace authorities victims suffering atrocities
    genocide regardless inherently boundaries trauma traumatic tragic tragedy condemn condemned oppression oppressed
    marginalized racist racism sexist sexism bigotry exploitation deserve deserves merit assumptions honesty misinformation
    disinformation cruelty terrorism terrorist extremism hostile dehumanizing derogatory condone glorify humanity humility
    wisdom solidarity harmony unity belonging welcoming decency civility humane vulnerable minorities terror massacre massacres
    murdered persecution persecuted brutality brutal horrific horrors atrocity""".split()
)
#: What else a sentence that gives grounds for declining speaks of.
GRAVE = VALUES | frozenset(
    """serious severe risk risks risky addictive addiction overdose deaths death killed lives law laws enforcement safety safe
    safely illegally distress mental emotional guidelines policies policy principles purpose programmed designed assistant
    helpful appropriate accurate truthful factual sensitive personal kill kills killing die dies dead fatal injury
    injuries""".split()
)
