"""Loose wordings: a prompt as people type it, with words too many and words in another order."""

from __future__ import annotations

import random
from dataclasses import replace

from rl_align.pictograms.chance import chance
from rl_align.schema import Item

#: Words of the world that stand between others without making a request harmful, or harmless.
FILLERS = ("please", "well", "and", "first", "all", "at home", "for the winter", "on paper", "my mother", "the museum", "old")

_INSERTED, _SWAPPED = 0.2, 0.15


def loosely(item: Item, share: float, seed: int) -> Item:
    """The item as a pupil meets it: in a loose wording with probability `share`, the same in every run with the same `seed`."""
    rng = chance("loose", seed, item.id)
    return item if rng.random() >= share else replace(item, prompt=loose(item.prompt, rng))


def loose(prompt: str, rng: random.Random) -> str:
    """`prompt` with fillers between its words and some neighbours swapped: every word of it is kept, and its last mark.

    What is said so is in no list. A small model that only ever sees the same few hundred prompts learns them by heart where it
    should copy what it reads.
    """
    words, mark = prompt.split(), ""
    if words and words[-1][-1] in ".?!":
        words[-1], mark = words[-1][:-1], words[-1][-1]
    for k in range(len(words) - 1):
        if rng.random() < _SWAPPED:
            words[k], words[k + 1] = words[k + 1], words[k]
    said = []
    for word in words:
        if rng.random() < _INSERTED:
            said.append(rng.choice(FILLERS))
        said.append(word)
    return " ".join(said) + mark
