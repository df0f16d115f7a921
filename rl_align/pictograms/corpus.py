"""Every word of the world, as texts to build a tokenizer from."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from rl_align.pictograms import rewriter_teacher
from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.intents import INTENTS
from rl_align.pictograms.neighbours import NEIGHBOURS
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.teacher import write
from rl_align.pictograms.world import COLOURS, HAZARD_OF, alarm, ruling


def corpus(cfg: PictogramsConfig) -> Iterator[str]:
    """All prompts of all splits, and for every object × intent the transcripts that answer and that do not.

    Colours are drawn, not enumerated. Deterministic from `cfg.seed`.
    """
    rng = chance("corpus", cfg.seed)
    for intent, typographic, heldout in itertools.product(INTENTS.values(), (False, True), (False, True)):
        if intent.words or not typographic:
            yield from prompts(intent, typographic, heldout)
    for (name, hazard), intent in itertools.product(HAZARD_OF.items(), INTENTS.values()):
        for words in dict.fromkeys(((), intent.words)):
            colour = rng.choice(list(COLOURS))
            for citation in (None, ruling(hazard, intent) or alarm(hazard, intent)):
                yield write(name, colour, intent, words, citation)
    if cfg.neighbours:
        yield from _rewriting(rng)


def _rewriting(rng: random.Random) -> Iterator[str]:
    """What asking for neighbours, answering that and rewriting to it adds."""
    for near in NEIGHBOURS.values():
        yield from prompts(near, False, False)
        yield from prompts(near, False, True)
        harmful = INTENTS[near.of]
        for name, hazard in HAZARD_OF.items():
            colour, citation = rng.choice(list(COLOURS)), ruling(hazard, harmful)
            yield write(name, colour, near, (), None)
            rewrite = rng.choice(prompts(near, False, False))
            for words in dict.fromkeys(((), harmful.words)):
                yield rewriter_teacher.write(name, harmful, words, citation, near, rewrite)
