"""The mix of real records and stress items that a run over real input trains on."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.sources import figstep, msts, special, xstest
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Item

OVER_LIMIT = "over_limit"
SOURCES = (figstep.DATASET, xstest.DATASET, msts.DATASET, special.DATASET)


@dataclass
class RealInputsConfig:
    """Which real records join the mix.

    Attributes:
        folder: Holds a local copy of each dataset under its name: figstep, xstest, msts. Not needed for `special`.
        sources: Which of figstep, xstest, msts, special to take.
        per_source: Most items of one source, drawn by `seed`; None takes all.
        msts_imageless: Keep MSTS prompts whose picture is not there, without expected behaviour.
        image: Sizes that pictures are brought to.
        seed: Draws, order and stress items.
    """

    folder: str | None = None
    sources: list[str] = field(default_factory=lambda: list(SOURCES))
    per_source: int | None = None
    msts_imageless: bool = False
    image: ImageConfig = field(default_factory=ImageConfig)
    seed: int = 0


def check(cfg: RealInputsConfig, key: str = "real_inputs") -> None:
    """Raises UserError naming the first value that no mix can be made from: an unknown source, a folder that is not there."""
    if not cfg.sources or (unknown := [name for name in cfg.sources if name not in SOURCES]):
        what = f"unknown source {unknown[0]!r}" if cfg.sources else "no sources"
        raise UserError(what, where=f"{key}.sources", expected=f"some of {', '.join(SOURCES)}")
    if cfg.per_source is not None and cfg.per_source < 1:
        raise UserError(f"{cfg.per_source} items", where=f"{key}.per_source", expected="at least 1, or null for all")
    needed = [name for name in cfg.sources if name != special.DATASET]
    choice = f"or set {key}.sources to the ones that are there (special needs no folder)"
    if needed and cfg.folder is None:
        raise UserError(
            "no folder is set",
            where=f"{key}.folder",
            expected=f"the folder that holds local copies of {', '.join(needed)}",
            fix=f"pass {key}.folder=DIR {choice}",
        )
    for name in needed:
        folder = Path(cfg.folder or "") / name
        if not folder.is_dir():
            raise UserError(f"no folder {folder}", where=f"{key}.folder", expected=f"a local copy of {name}", fix=choice)


def _source(name: str, cfg: RealInputsConfig) -> Iterable[Item | Dropped]:
    if name == special.DATASET:
        return special.load(cfg.seed)
    folder = Path(cfg.folder or "") / name
    if name == figstep.DATASET:
        full = (folder / "data" / "question" / "safebench.csv").is_file()
        return figstep.load(folder, tiny=not full)
    if name == msts.DATASET:
        return msts.load(folder, imageless=cfg.msts_imageless)
    return xstest.load(folder)


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
        found = list(validate(_source(name, cfg), cfg.image, quarantine))
        rng.shuffle(found)
        limit = len(found) if cfg.per_source is None else cfg.per_source
        for item in found[limit:]:
            quarantine.drop(item.id, OVER_LIMIT, f"{key}.per_source={limit}")
        items += found[:limit]
    if not items:
        raise UserError(f"no usable items ({quarantine.summary()})", where=f"{key}.folder")
    rng.shuffle(items)
    return items
