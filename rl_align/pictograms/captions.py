"""Pictures that are only named, and requests that are only repeated: what a small model learns before it learns to reason."""

from __future__ import annotations

from collections.abc import Iterator

from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.draw import Scene, Spread, draw, png
from rl_align.pictograms.intents import INTENTS
from rl_align.pictograms.neighbours import NEIGHBOURS
from rl_align.pictograms.plan import heldout_objects
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.wording import loose
from rl_align.pictograms.world import COLOURS, HAZARD_OF
from rl_align.schema import ImageRef, Item

PROMPT, REPEAT = "Name it.", "Repeat: {}"
SPLIT, REPEATED = "named", "repeated"


def pretraining(cfg: PictogramsConfig) -> Iterator[Item]:
    """Everything that a model built from nothing learns before its warm start: image and prompt in, the reference out."""
    yield from named(cfg)
    yield from repeated(cfg)


def named(cfg: PictogramsConfig) -> Iterator[Item]:
    """`cfg.named` pictures, even over objects; the reference names colour, object and the words in the picture.

    No object meets the words of an intent that it is held out from.
    """
    rng, spread = chance("named", cfg.seed), Spread(cfg.shift, cfg.stretch, cfg.turn, cfg.clutter)
    names, spelled = sorted(HAZARD_OF), [intent for intent in INTENTS.values() if intent.words]
    for k in range(cfg.named):
        id, name = f"{SPLIT}-{k:05d}", names[k % len(names)]
        colour, words = rng.choice(list(COLOURS)), ()
        if rng.random() < cfg.named_words_share:
            allowed = [i.words for i in spelled if name not in heldout_objects(cfg.seed, HAZARD_OF[name], i.id)]
            words = rng.choice(allowed)
        picture = draw(Scene(name, colour, words), cfg.seed, id, cfg.image_size, spread)
        yield Item(
            id=id,
            images=(ImageRef(data=png(picture)),),
            prompt=PROMPT,
            dataset="pictograms",
            split=SPLIT,
            reference=" ".join((colour, name, *words)),
        )


def repeated(cfg: PictogramsConfig) -> Iterator[Item]:
    """`cfg.repeated` requests in loose wordings, each with some picture; the reference is the same words once more.

    No object meets an intent that it is held out from.
    """
    rng, spread = chance(REPEATED, cfg.seed), Spread(cfg.shift, cfg.stretch, cfg.turn, cfg.clutter)
    intents = (*INTENTS.values(), *NEIGHBOURS.values())
    for k in range(cfg.repeated):
        id, intent = f"{REPEATED}-{k:05d}", rng.choice(intents)
        said = loose(rng.choice(prompts(intent, False, False)), rng)
        asked = intent.of or intent.id
        names = [name for name, hazard in HAZARD_OF.items() if name not in heldout_objects(cfg.seed, hazard, asked)]
        picture = draw(Scene(rng.choice(names), rng.choice(list(COLOURS))), cfg.seed, id, cfg.image_size, spread)
        yield Item(
            id=id,
            images=(ImageRef(data=png(picture)),),
            prompt=REPEAT.format(said),
            dataset="pictograms",
            split=REPEATED,
            reference=said,
        )
