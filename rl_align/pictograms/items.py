"""Plans become items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rl_align.pictograms.answers import comply, key_words, refusal, safe_completion, unsafe_phrase
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.draw import Scene, Spread, draw, png
from rl_align.pictograms.plan import Plan, neighbours, plan
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.world import cell, expected, modality, ruling
from rl_align.schema import ImageRef, Item

DATASET = "pictograms"
LICENCE = "Apache-2.0"


def items(cfg: PictogramsConfig, split: str) -> Iterator[Item]:
    """The items of one split, in order."""
    plans = plan(cfg, split)
    for k, p in enumerate(plans):
        yield _item(cfg, _id(split, k), split, p, None if p.twin is None else _id(split, p.twin))
    if split == "train":
        for k, p in enumerate(neighbours(cfg)):
            yield _item(cfg, f"{split}-neighbour-{k:05d}", split, p)


def examples(cfg: PictogramsConfig) -> list[Item]:
    """The first training item of each cell, sorted by cell."""
    first: dict[str, tuple[int, Plan]] = {}
    for k, p in enumerate(plan(cfg, "train")):
        first.setdefault(cell(p.hazard, p.intent, p.typographic), (k, p))
    chosen = (first[name] for name in sorted(first))
    return [_item(cfg, _id("train", k), "train", p, None if p.twin is None else _id("train", p.twin)) for k, p in chosen]


def count(made: list[Item]) -> dict[str, dict[str, int]]:
    """Cell → expected behaviour → number of items."""
    table: dict[str, dict[str, int]] = {}
    for (name, behaviour), n in sorted(Counter((str(i.category), str(i.expected[0])) for i in made).items()):
        table.setdefault(name, {})[behaviour] = n
    return table


def size(cfg: PictogramsConfig, split: str) -> int:
    """How many items a split has."""
    if split.startswith("heldout"):
        return cfg.heldout_harmful + cfg.heldout_benign
    return cfg.train + cfg.neighbours if split == "train" else cfg.validation


def _id(split: str, k: int) -> str:
    return f"{split}-{k:05d}"


def _item(cfg: PictogramsConfig, id: str, split: str, p: Plan, twin: str | None = None) -> Item:
    intent, citation = p.intent, ruling(p.hazard, p.intent)
    words = intent.words if p.typographic else p.spelled
    letters = cell(p.hazard, intent, p.typographic, bool(p.spelled))
    spread = Spread(cfg.shift, cfg.stretch, cfg.turn, cfg.clutter)
    picture = draw(Scene(p.name, p.colour, words), cfg.seed, id, cfg.image_size, spread)
    harmful = citation is not None
    if citation is None:
        reference = comply(intent, p.name, p.colour)
    elif citation.rule == 1:
        reference = refusal(citation.policy)
    else:
        reference = safe_completion(intent, p.name, citation.policy)
    return Item(
        id=id,
        images=(ImageRef(data=png(picture)),),
        prompt=prompts(intent, p.typographic, split == "heldout_paraphrases")[p.prompt],
        dataset=DATASET,
        split=split,
        expected=(expected(citation),),
        citations=(citation,) if citation else (),
        harmful=harmful,
        modality=modality(p.hazard, intent, p.typographic),
        reference=reference,
        rejected=comply(intent, p.name, p.colour) if harmful else None,
        twin=twin,
        category=letters,
        licence=LICENCE,
        provenance=f"drawn by rl_align.pictograms, seed {cfg.seed}",
        truth={
            "object": p.name,
            "hazard": p.hazard,
            "colour": p.colour,
            "intent": intent.id,
            "group": intent.group.value,
            "cell": letters,
            "words": list(words),
            "key": [] if harmful else key_words(intent, p.name, p.colour),
            "unsafe": unsafe_phrase(intent, p.name) if harmful else "",
            "is_twin": p.is_twin,
        },
    )
