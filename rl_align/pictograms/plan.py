"""Which objects meet which intents in which split, and which item is whose twin."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.intents import INTENTS, Group, Intent
from rl_align.pictograms.neighbours import NEIGHBOURS
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.world import CLASSES, COLOURS, HARMLESS, HAZARD_OF, HAZARDS, is_twin, ruling

SPLITS = ("train", "validation", "heldout_combinations", "heldout_paraphrases")


@dataclass(frozen=True)
class Plan:
    """An item before it is drawn and written.

    `twin` is the position of its harmful twin among the split's plans; `spelled` are words in the picture that nobody asks about.
    """

    name: str
    intent: Intent
    typographic: bool
    colour: str
    prompt: int
    twin: int | None = None
    spelled: tuple[str, ...] = ()

    @property
    def hazard(self) -> str:
        """Class of the object."""
        return HAZARD_OF[self.name]

    @property
    def is_twin(self) -> bool:
        """Whether it is a benign look-alike."""
        return is_twin(self.hazard, self.intent, self.typographic or bool(self.spelled))

    def differs_only(self, other: Plan) -> bool:
        """Whether exactly one of object and intent differs and nothing else that matters does."""
        same = self.typographic == other.typographic and self.colour == other.colour and self.prompt == other.prompt
        return same and (self.name == other.name) != (self.intent == other.intent)


@cache
def heldout_objects(seed: int, hazard: str, intent: str) -> frozenset[str]:
    """Objects of a class that meet an intent in the held-out combinations only: one in four, another one per intent."""
    names = CLASSES[hazard]
    first = chance("heldout", seed, hazard).randrange(4) + list(INTENTS).index(intent)
    return frozenset(names[k] for k in range(len(names)) if (k - first) % 4 == 0)


def plan(cfg: PictogramsConfig, split: str) -> list[Plan]:
    """The items of a split in random order. Pure: the same configuration gives the same plans."""
    rng = chance("plan", cfg.seed, split)
    harmful_n, twins_n, plain_n = _sizes(cfg, split)
    harmful = list(_spread(cfg, split, "harmful", harmful_n, rng))
    twins = list(_with_twins(cfg, split, twins_n, harmful, rng))
    plans = harmful + twins + list(_spread(cfg, split, "plain", plain_n, rng))
    order = list(range(len(plans)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    shuffled = (plans[old] for old in order)
    return [p if p.twin is None else replace(p, twin=place[p.twin]) for p in shuffled]


def neighbours(cfg: PictogramsConfig) -> Iterator[Plan]:
    """`cfg.neighbours` training items that ask for the neighbour of something harmful, even over intents and objects.

    Some pictures spell the harmful request itself, which the prompt does not ask for. Objects that meet the harmful intent in the
    held-out combinations only do not meet its neighbour.
    """
    rng = chance("neighbours", cfg.seed)
    cycles = {}
    for intent in NEIGHBOURS.values():
        held = {hazard: heldout_objects(cfg.seed, hazard, intent.of) for hazard in CLASSES}
        cycles[intent] = _cycle([[n for n in names if n not in held[h]] for h, names in CLASSES.items()], rng)
    for intent in itertools.islice(itertools.cycle(cycles), cfg.neighbours):
        harmful = INTENTS[intent.of]
        spelled = harmful.words if harmful.words and rng.random() < cfg.spelled_share else ()
        prompt = rng.randrange(len(prompts(intent, False, False)))
        yield Plan(next(cycles[intent]), intent, False, rng.choice(list(COLOURS)), prompt, spelled=spelled)


def _sizes(cfg: PictogramsConfig, split: str) -> tuple[int, int, int]:
    if split.startswith("heldout"):
        twins = round(cfg.heldout_benign * cfg.heldout_twin_share)
        return cfg.heldout_harmful, twins, cfg.heldout_benign - twins
    total = cfg.train if split == "train" else cfg.validation
    harmful, twins = round(total * cfg.harmful_share), round(total * cfg.twin_share)
    return harmful, twins, total - harmful - twins


def _kind(hazard: str, intent: Intent, typographic: bool) -> str:
    if ruling(hazard, intent) is not None:
        return "harmful"
    return "twin" if is_twin(hazard, intent, typographic) else "plain"


@cache
def _objects(seed: int, heldout: bool, kind: str, typographic: bool) -> Mapping[Intent, Sequence[Sequence[str]]]:
    """Intent → objects by class, of one kind of item."""
    table: dict[Intent, list[list[str]]] = {}
    for intent, (hazard, names) in itertools.product(INTENTS.values(), CLASSES.items()):
        if (typographic and not intent.words) or _kind(hazard, intent, typographic) != kind:
            continue
        kept = heldout_objects(seed, hazard, intent.id)
        table.setdefault(intent, []).append([n for n in names if (n in kept) == heldout])
    return table


def _spread(cfg: PictogramsConfig, split: str, kind: str, count: int, rng: random.Random) -> Iterator[Plan]:
    """`count` plans, even over intents, within an intent over classes, within a class over objects."""
    written = 0 if kind == "plain" else round(count * cfg.typographic_share)
    for typographic, n in ((False, count - written), (True, written)):
        table = _objects(cfg.seed, split == "heldout_combinations", kind, typographic)
        cycles = {intent: _cycle(classes, rng) for intent, classes in table.items()}
        for intent in itertools.islice(itertools.cycle(cycles), n):
            name = next(cycles[intent])
            wordings = len(prompts(intent, typographic, split == "heldout_paraphrases"))
            yield Plan(name, intent, typographic, rng.choice(list(COLOURS)), rng.randrange(wordings))


def _cycle(classes: Sequence[Sequence[str]], rng: random.Random) -> Iterator[str]:
    shuffled = [rng.sample(list(names), len(names)) for names in rng.sample(list(classes), len(classes))]
    for turn in itertools.count():
        for names in shuffled:
            yield names[turn % len(names)]


def _with_twins(cfg: PictogramsConfig, split: str, count: int, harmful: Sequence[Plan], rng: random.Random) -> Iterator[Plan]:
    """Benign look-alikes, each with the colour and the frame of a harmful item that it differs from in one thing.

    Joint requests differ in the object, all others in the intent. A split too small to hold the harmful item of an
    object gets another object of the intent; one without any leaves `twin` unset.
    """
    by_object: dict[tuple[bool, str], list[int]] = defaultdict(list)
    by_intent: dict[str, list[int]] = defaultdict(list)
    for k, p in enumerate(harmful):
        if p.intent.group is not Group.JOINT:
            by_object[p.typographic, p.name].append(k)
        by_intent[p.intent.id].append(k)
    for p in _spread(cfg, split, "twin", count, rng):
        if p.intent.group is Group.JOINT:
            near = by_intent[p.intent.id]
        else:
            if not by_object[p.typographic, p.name]:
                p = _with_another_object(cfg, split, p, by_object)
            near = by_object[p.typographic, p.name]
        if near:
            k = rng.choice(near)
            p = replace(p, colour=harmful[k].colour, prompt=harmful[k].prompt, twin=k)
        yield p


def _with_another_object(cfg: PictogramsConfig, split: str, p: Plan, by_object: Mapping[tuple[bool, str], Sequence[int]]) -> Plan:
    classes = _objects(cfg.seed, split == "heldout_combinations", "twin", p.typographic)[p.intent]
    names = [name for names in classes for name in names if by_object.get((p.typographic, name))]
    names.sort(key=lambda name: HAZARD_OF[name] != p.hazard)
    return replace(p, name=names[0]) if names else p


def look_alike_cells() -> dict[Intent, list[str]]:
    """Intent → classes in which a benign item without words in its picture looks like a harmful one."""
    return {
        intent: [hazard for hazard in (*HAZARDS, HARMLESS) if _kind(hazard, intent, False) == "twin"]
        for intent in INTENTS.values()
        if intent.group is not Group.EXPLICIT
    }


def harmful_cells() -> dict[Intent, list[str]]:
    """Intent → classes in which an item is harmful, for the intents that can do harm."""
    found = {intent: [h for h in (*HAZARDS, HARMLESS) if _kind(h, intent, False) == "harmful"] for intent in INTENTS.values()}
    return {intent: hazards for intent, hazards in found.items() if hazards}
