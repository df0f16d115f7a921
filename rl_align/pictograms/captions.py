"""Pictures that are only named: what a small model learns to see with, before it learns to reason."""

from __future__ import annotations

from collections.abc import Iterator

from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.draw import Scene, Spread, draw, png
from rl_align.pictograms.intents import INTENTS
from rl_align.pictograms.plan import heldout_objects
from rl_align.pictograms.world import COLOURS, HAZARD_OF
from rl_align.schema import ImageRef, Item

PROMPT = "Name it."
SPLIT = "named"


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
