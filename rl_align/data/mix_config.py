"""What can be set about a mix of datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from rl_align.data.shards import ROWS_PER_SHARD
from rl_align.errors import UserError

TRAIN = "train"


class OnContamination(str, Enum):
    """What happens when training items give evaluation items away."""

    REFUSE = "refuse"
    DROP = "drop"


@dataclass
class PartConfig:
    """One dataset of a mix.

    Attributes:
        path: Folder of a dataset, or one item file.
        weight: Its share of the mix is this over the sum of all weights.
        cap: Most different rows that are used of it, drawn by the seed; null for all.
        splits: Which of its splits; empty for all.
    """

    path: str = "???"
    weight: float = 1.0
    cap: int | None = None
    splits: list[str] = field(default_factory=lambda: [TRAIN])


@dataclass
class AgainstConfig:
    """One dataset that will be evaluated on. `splits`: which of its splits; empty for all."""

    path: str = "???"
    splits: list[str] = field(default_factory=list)


@dataclass
class MixConfig:
    """A mix.

    Attributes:
        parts: What it is made of. Of items that occur in several, the first part's counts.
        against: What will be evaluated on.
        on_contamination: refuse: no mix is made; drop: the training items that give something away are left out.
        rows: Size of the mix; null for the most that weights and epochs allow.
        epochs: How often a row may occur at most.
        rows_per_shard: Most rows of a file.
        seed: Draws and order.
    """

    parts: list[PartConfig] = field(default_factory=list)
    against: list[AgainstConfig] = field(default_factory=list)
    on_contamination: OnContamination = OnContamination.REFUSE
    rows: int | None = None
    epochs: float = 1.0
    rows_per_shard: int = ROWS_PER_SHARD
    seed: int = 0


def check_mix(cfg: MixConfig) -> None:
    """Raises UserError naming the first value that no mix can be made from."""
    if not cfg.parts:
        raise UserError("no parts", where="parts", expected="at least one dataset with its weight")
    for i, part in enumerate(cfg.parts):
        if not 0 < part.weight < float("inf"):
            raise UserError(f"{part.weight}", where=f"parts[{i}].weight", expected="a number above 0")
        if part.cap is not None and part.cap < 1:
            raise UserError(f"{part.cap} rows", where=f"parts[{i}].cap", expected="at least 1, or null for all")
    if not 0 < cfg.epochs <= 1000:
        raise UserError(f"{cfg.epochs}", where="epochs", expected="above 0, at most 1000")
    if cfg.rows is not None and cfg.rows < 1:
        raise UserError(f"{cfg.rows} rows", where="rows", expected="at least 1, or null for the most that there are")
