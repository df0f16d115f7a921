"""The mix of real records and stress items that a run over real input trains on."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.sources import msr_align, msts, special
from rl_align.data.sources.registry import SOURCES, Use, not_for_training
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Item

OVER_LIMIT, HELD_OUT = "over_limit", "held_out"
#: The sources that a mix can take.
NAMES = tuple(name for name, source in SOURCES.items() if source.load)


@dataclass
class RealInputsConfig:
    """Which real records join the mix.

    Attributes:
        folder: Holds a local copy of each dataset under its name. Not needed for `special`.
        sources: Which to take; `rl-align data list` shows them.
        benchmarks: Take benchmarks and held-out splits, too. For trials of the path: what was trained on measures nothing.
        per_source: Most items of one source, drawn by `seed`; None takes all.
        msr_align_fields: Column of image, question, response, policies or category of MSR-Align, where not a usual name.
        msts_imageless: Keep MSTS prompts whose picture is not there, without expected behaviour.
        image: Sizes that pictures are brought to.
        seed: Draws, order and stress items.
    """

    folder: str | None = None
    sources: list[str] = field(default_factory=lambda: [special.DATASET])
    benchmarks: bool = False
    per_source: int | None = None
    msr_align_fields: dict[str, str] = field(default_factory=dict)
    msts_imageless: bool = False
    image: ImageConfig = field(default_factory=ImageConfig)
    seed: int = 0


def check(cfg: RealInputsConfig, key: str = "real_inputs") -> None:
    """Raises UserError naming the first value that no mix can be made from, such as a source that is no training data."""
    if not cfg.sources or (unknown := [name for name in cfg.sources if name not in NAMES]):
        what = f"unknown source {unknown[0]!r}" if cfg.sources else "no sources"
        raise UserError(what, where=f"{key}.sources", expected=f"some of {', '.join(NAMES)}")
    for name in cfg.sources:
        use, reason = SOURCES[name].use, not_for_training(name)
        if reason and not (cfg.benchmarks and use is Use.EVALUATION):
            trial = f", or set {key}.benchmarks=true for a trial" if use is Use.EVALUATION else ""
            raise UserError(reason, where=f"{key}.sources", fix=f"leave it out{trial}")
    if cfg.per_source is not None and cfg.per_source < 1:
        raise UserError(f"{cfg.per_source} items", where=f"{key}.per_source", expected="at least 1, or null for all")
    needed = [name for name in cfg.sources if SOURCES[name].local]
    choice = f"or set {key}.sources to the ones that are there (special needs no folder)"
    if needed and cfg.folder is None:
        raise UserError(
            "no folder is set",
            where=f"{key}.folder",
            expected=f"the folder that holds local copies of {', '.join(needed)}",
            fix=f"pass {key}.folder=DIR {choice}",
        )
    for name in needed:
        folder = Path(cfg.folder or "") / SOURCES[name].folder
        if not folder.is_dir():
            raise UserError(f"no folder {folder}", where=f"{key}.folder", expected=f"a local copy of {name}", fix=choice)


def _records(name: str, cfg: RealInputsConfig) -> Iterable[Item | Dropped]:
    source = SOURCES[name]
    if not source.local:
        return source.load(cfg.seed)
    options = {msts.DATASET: {"imageless": cfg.msts_imageless}, msr_align.DATASET: {"fields": cfg.msr_align_fields}}
    return source.load(Path(cfg.folder or "") / source.folder, **options.get(name, {}))


def _training(name: str, cfg: RealInputsConfig) -> Iterable[Item | Dropped]:
    for record in _records(name, cfg):
        if isinstance(record, Item) and not cfg.benchmarks and SOURCES[name].held_out(record):
            yield Dropped(record.id, HELD_OUT, f"split {record.split}")
        else:
            yield record


def load_mix(cfg: RealInputsConfig, quarantine: Quarantine, *, key: str = "real_inputs") -> list[Item]:
    """Reads, validates and shuffles the chosen sources. Whatever does not become an item is in the quarantine.

    Args:
        cfg: What to read.
        quarantine: Takes the dropped records.
        key: Where `cfg` stands in the run's configuration, for messages.

    Returns:
        Items with normalised pictures, in an order drawn by `cfg.seed`.

    Raises:
        UserError: An unknown source, a folder that is not set or not there, a broken file, or nothing left.
    """
    check(cfg, key)
    rng = random.Random(cfg.seed)
    items: list[Item] = []
    for name in dict.fromkeys(cfg.sources):
        found = list(validate(_training(name, cfg), cfg.image, quarantine))
        rng.shuffle(found)
        limit = len(found) if cfg.per_source is None else cfg.per_source
        for item in found[limit:]:
            quarantine.drop(item.id, OVER_LIMIT, f"{key}.per_source={limit}")
        items += found[:limit]
    if not items:
        raise UserError(f"no usable items ({quarantine.summary()})", where=f"{key}.folder")
    rng.shuffle(items)
    return items
