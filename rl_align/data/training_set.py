"""A prepared dataset as training data: which of its rows may be trained on, and what a run takes of it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional

from rl_align.data.dataset import Dataset, open_dataset
from rl_align.data.images import ImageConfig
from rl_align.data.mix_config import TRAIN
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.shuffle import rank
from rl_align.data.sources.mix import OVER_LIMIT
from rl_align.data.sources.registry import SOURCES, Use, not_for_training
from rl_align.data.untrusted import shown
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Item


@dataclass
class TrainingSetConfig:
    """What a run trains on out of a dataset that `rl-align data` made.

    Attributes:
        path: Folder of the dataset (`prepare`, `split` or `mix` made it), or one item file.
        splits: Which of its splits; empty for all that are not held out.
        rows: Most rows, drawn by `seed`; null for all.
        benchmarks: Take benchmarks and held-out splits, too. For trials of the path: what was trained on measures nothing.
        image: Sizes that pictures are brought to; those that fit are kept as they are.
        seed: Draws the rows.
    """

    path: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    splits: list[str] = field(default_factory=lambda: [TRAIN])
    rows: Optional[int] = None  # noqa: UP045
    benchmarks: bool = False
    image: ImageConfig = field(default_factory=ImageConfig)
    seed: int = 0


def training_set(path: str, splits: Sequence[str], *, benchmarks: bool = False, hashes: bool = True) -> Dataset:
    """The dataset, where its manifest does not say that it is no training data.

    Args:
        path: Folder of a dataset, or one item file.
        splits: Those that are to be trained on; empty for all.
        benchmarks: Whether what is for evaluation may be taken, for a trial. What is for tests only never is.
        hashes: Whether every file is compared with the manifest, not its size alone.

    Raises:
        UserError: It is, there is no such split, or it is not what its manifest says.
    """
    dataset = open_dataset(path, hashes=hashes)
    use = dataset.meta.get("use", Use.TRAIN.value)
    if use != Use.TRAIN.value and not (benchmarks and use == Use.EVALUATION.value):
        source = str(dataset.meta.get("source", "it"))
        raise UserError(not_for_training(source) or f"its use is {use}", where=path, fix="leave it out of the training data")
    there = dataset.meta.get("counts", {})
    if missing := [split for split in splits if there and split not in there]:
        raise UserError(f"no split {missing[0]}", where=path, expected=f"some of {', '.join(there)}")
    held_out = [] if benchmarks else dataset.meta.get("held_out", [])
    if wrong := [split for split in splits or there if split in held_out]:
        raise UserError(f"the split {wrong[0]} is held out for evaluation", where=path, fix="name other splits")
    return dataset


def refused(dataset: Dataset, item: Item, *, benchmarks: bool = False) -> str | None:
    """Why a row must not be trained on, whatever file it is in. Held-out splits: as the manifest says, else the registry."""
    trial = benchmarks and item.dataset in SOURCES and SOURCES[item.dataset].use is not Use.TEST
    if (reason := not_for_training(item.dataset)) and not trial:
        return reason
    if not trial and not dataset.meta and item.dataset in SOURCES and SOURCES[item.dataset].held_out(item):
        return f"the split {item.split} of {item.dataset} is held out for evaluation"
    return None


def check(cfg: TrainingSetConfig, key: str = "dataset") -> None:
    """Raises UserError naming the first value that a run cannot train on."""
    if cfg.path is None:
        fix = f"pass {key}.path=DIR; `rl-align data prepare` and `rl-align data mix` make one"
        raise UserError("no dataset is named", where=f"{key}.path", expected="the folder of a dataset", fix=fix)
    if cfg.rows is not None and cfg.rows < 1:
        raise UserError(f"{cfg.rows} rows", where=f"{key}.rows", expected="at least 1, or null for all")
    try:
        training_set(cfg.path, _splits(cfg), benchmarks=cfg.benchmarks, hashes=False)
    except UserError as error:
        raise UserError(f"{key}.path={error}") from error


def described(cfg: TrainingSetConfig) -> tuple[str, int | None]:
    """What a run would train on, in one line, and how many rows; None where no manifest says so."""
    dataset = open_dataset(cfg.path or "")
    if not dataset.meta:
        return f"data: {cfg.path}: {len(dataset.files)} files without a manifest; rows are counted when they are read", None
    tables = [table for split, table in dataset.meta["counts"].items() if split in _splits(cfg)]
    there = sum(table["rows"] for table in tables)
    rows = there if cfg.rows is None else min(cfg.rows, there)
    kinds = {name: sum((Counter(table[name]) for table in tables), Counter()) for name in ("dataset", "licence")}
    told = "; ".join(f"{name}s {', '.join(f'{shown(k, 60)} {n}' for k, n in kinds[name].most_common(6))}" for name in kinds)
    drawn = f"{rows} of {there} rows" if rows < there else f"{there} rows"
    return f"data: {cfg.path}: {drawn} of {', '.join(_splits(cfg))}; {told}", rows


def load(cfg: TrainingSetConfig, quarantine: Quarantine, key: str = "dataset") -> Iterator[Item]:
    """The items to train on, in the dataset's order, their pictures of the configured size. In memory that does not grow with them.

    Raises:
        UserError: As `check`; also when a file is not what the manifest says, or a row must not be trained on.
    """
    check(cfg, key)
    dataset = training_set(cfg.path or "", _splits(cfg), benchmarks=cfg.benchmarks)
    last = None
    if cfg.rows is not None:
        ranks = (rank(cfg.seed, item.id) for item in dataset.scan(_splits(cfg)) if isinstance(item, Item))
        drawn = heapq.nsmallest(cfg.rows, ranks)
        last = drawn[-1] if drawn else None
    return validate(_taken(cfg, dataset, last), cfg.image, quarantine)


def _taken(cfg: TrainingSetConfig, dataset: Dataset, last: int | None) -> Iterator[Item | Dropped]:
    for record in dataset.scan(_splits(cfg)):
        if isinstance(record, Item):
            if reason := refused(dataset, record, benchmarks=cfg.benchmarks):
                raise UserError(reason, where=f"{cfg.path}: {shown(record.id, 100)}", fix="leave it out of the training data")
            if last is not None and rank(cfg.seed, record.id) > last:
                record = Dropped(record.id, OVER_LIMIT, f"{cfg.rows} rows are taken")
        yield record


def _splits(cfg: TrainingSetConfig) -> list[str]:
    """The splits that are meant; empty where no manifest names them and none is configured."""
    if cfg.splits or cfg.path is None:
        return list(cfg.splits)
    meta = open_dataset(cfg.path).meta
    return [split for split in meta.get("counts", {}) if cfg.benchmarks or split not in meta.get("held_out", [])]
