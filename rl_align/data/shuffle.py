"""A shuffle of more items than fit into memory: dealt into buckets on the disk, each bucket then sorted in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.items import ItemWriter, read_items
from rl_align.data.seen import digest
from rl_align.schema import Item

#: Bytes of a bucket, as written; its items take about twice as much memory.
_BUCKET = 128 * 2**20


def rank(seed: int, name: str) -> int:
    """A number below 2⁶⁴ that depends on seed and name alone."""
    return int.from_bytes(digest(str(seed), name, size=8), "big")


def shuffled(items: Iterable[Item], seed: int, expected_bytes: int, folder: Path) -> Iterator[Item]:
    """Items in the order of `rank`, which is the same whatever order they come in.

    Args:
        items: Items with different ids.
        seed: Decides the order.
        expected_bytes: About how large they are; decides only how many buckets there are.
        folder: Place for the buckets, which are removed at the end.
    """
    count = expected_bytes // _BUCKET + 1
    folder.mkdir()
    writers: dict[int, ItemWriter] = {}
    try:
        for item in items:
            bucket = rank(seed, item.id) * count >> 64
            if bucket not in writers:
                writers[bucket] = ItemWriter(folder / f"{bucket}.parquet")
            writers[bucket].add(item)
        for writer in writers.values():
            writer.close()
        for bucket in sorted(writers):
            yield from sorted(read_items(folder / f"{bucket}.parquet"), key=lambda item: rank(seed, item.id))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
