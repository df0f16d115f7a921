"""A dataset → the same rows in new splits, without rows that belong together ending up apart."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from rl_align.data.building import building
from rl_align.data.dataset import Dataset, open_dataset
from rl_align.data.fingerprint import item_key, look, text_key
from rl_align.data.groups import Groups
from rl_align.data.prepare import counted, save_quarantine
from rl_align.data.quarantine import DataError, Dropped, Quarantine
from rl_align.data.seen import digest
from rl_align.data.shards import ROWS_PER_SHARD
from rl_align.data.shuffle import rank
from rl_align.data.sources.registry import SOURCES, Use
from rl_align.errors import UserError
from rl_align.schema import Item

#: What else may keep rows together.
BY = ("category", "prompt", "dataset")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_STRICTEST = (Use.TRAIN, Use.EVALUATION, Use.TEST)


def parse_shares(texts: Sequence[str]) -> dict[str, float]:
    """`train=0.9 validation=0.1` → name → share. Raises UserError unless the shares are positive and sum to 1."""
    shares: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not equals or not _NAME.fullmatch(name) or name in shares or not 0 < share <= 1:
            expected = "different names, each with a share above 0 and at most 1, such as train=0.9 validation=0.1"
            raise UserError(f"{text!r} is no share", where="--shares", expected=expected)
        shares[name] = share
    if abs(math.fsum(shares.values()) - 1) > 1e-9:
        raise UserError(f"the shares sum to {math.fsum(shares.values()):g}", where="--shares", expected="a sum of 1")
    return shares


def split(
    path: str | Path, out: str | Path, shares: Mapping[str, float], *, by: Sequence[str] = (), seed: int = 0, progress: bool = True
) -> list[str]:
    """Divides a dataset. Where a group goes depends on seed, shares and the id of its first row alone.

    One group are twins; items with the same picture (by its bytes; plain ones aside); items with the same prompt where one of them
    has no picture; items with the same prompt and pictures. This is the rule of `contamination`, except for recompressed copies: no
    split gives another one away. Rows that their makers hold out keep their split; those of benchmarks are divided and stay what
    they are.

    Args:
        path: The dataset.
        out: Folder of the divided one.
        shares: Name → expected share of the groups.
        by: What else keeps rows together: some of `BY`.
        seed: Another seed, another division.
        progress: Whether to show progress bars where stderr is a terminal.

    Returns:
        What was written, as lines for the console.

    Raises:
        UserError: No dataset, `out` is the dataset itself or cannot be written, or a share named as a held-out split.
    """
    dataset = open_dataset(path, hashes=True)
    if Path(out).resolve() == Path(path).resolve():
        raise UserError("the dataset cannot take its own place", where=str(out), fix="choose another folder")
    quarantine = Quarantine()
    groups, ranks, held_out, use = _survey(dataset, by, seed, quarantine, progress)
    if taken := sorted(held_out & {*shares}):
        raise UserError(f"{taken[0]} is a split that its makers hold out", where="--shares", fix="choose another name")
    source = str(dataset.meta.get("source", Path(path).name))
    settings = {"shares": dict(shares), "by": sorted(by), "seed": seed}
    with building(out, {"name": "split", "source": source, "settings": settings}, ROWS_PER_SHARD) as made:
        for row, item in enumerate(tqdm(_items(dataset), desc="write", unit="row", disable=None if progress else True)):
            kept = _held_out(dataset, item)
            made.shards.add(item if kept else replace(item, split=_share(ranks[groups.first(row)], shares)))
        made.meta |= {"source": source, "licence": dataset.meta.get("licence"), "use": use.value, "held_out": sorted(held_out)}
        save_quarantine(made, quarantine)
    sizes = Counter(groups.first(row) for row in range(len(groups)))
    together = f"{len(sizes)} groups, the largest of {max(sizes.values(), default=0)} rows"
    return [*counted(made), together, quarantine.summary(), f"written to {out}"]


def _items(dataset: Dataset) -> Iterator[Item]:
    """The rows that can be used, in the same order in every pass."""
    for record in dataset.scan():
        if isinstance(record, Item):
            yield record


def _survey(
    dataset: Dataset, by: Sequence[str], seed: int, quarantine: Quarantine, progress: bool
) -> tuple[Groups, array, set[str], Use]:
    groups, ranks, texts = Groups(), array("Q"), array("Q")
    alone: dict[int, int] = {}
    held_out: set[str] = set()
    use = Use(dataset.meta.get("use", Use.TRAIN.value))
    for record in tqdm(dataset.scan(), desc="read", unit="row", disable=None if progress else True):
        if isinstance(record, Dropped):
            quarantine.drop(record.item, record.reason, record.detail)
            continue
        kept = _held_out(dataset, record)
        held_out |= {record.split} if kept else set()
        use = max(use, SOURCES[record.dataset].use if record.dataset in SOURCES else use, key=_STRICTEST.index)
        text = int.from_bytes(text_key(record.prompt)[:8], "big")
        row = groups.add([] if kept else _keys(record, by))
        ranks.append(rank(seed, record.id))
        texts.append(text)
        if not record.images and not kept:
            groups.join(row, alone.setdefault(text, row))
    for row, text in enumerate(texts):
        if text in alone:
            groups.join(row, alone[text])
    return groups, ranks, held_out, use


def _keys(item: Item, by: Sequence[str]) -> list[bytes]:
    """What an item shares with the others of its group."""
    keys = [digest("id", item.id), digest("same", item_key(item))]
    if item.twin:
        keys.append(digest("id", item.twin))
    for image in item.images:
        try:
            seen = look(image)
        except DataError as error:
            raise UserError(str(error), where=f"item {item.id!r}", fix="`rl-align data validate` lists what is broken") from error
        if not seen.plain:
            keys.append(digest("picture", seen.key))
    values = {"category": item.category or "", "prompt": text_key(item.prompt), "dataset": item.dataset}
    return keys + [digest(name, values[name]) for name in by]


def _held_out(dataset: Dataset, item: Item) -> bool:
    """Whether an item keeps its split. Of what is no training data at all, every row is divided."""
    if dataset.meta:
        return dataset.meta["use"] == Use.TRAIN.value and item.split in dataset.meta["held_out"]
    source = SOURCES.get(item.dataset)
    return source is not None and source.use is Use.TRAIN and source.held_out(item)


def _share(number: int, shares: Mapping[str, float]) -> str:
    place, bound = number / 2**64, 0.0
    for name, share in shares.items():
        bound += share
        if place < bound:
            return name
    return name
