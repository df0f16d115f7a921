"""Items → numbered parquet files, each of one split: `train-00000.parquet`, `train-00001.parquet`, …"""

from __future__ import annotations

import re
from pathlib import Path

from rl_align.data.items import ItemWriter
from rl_align.data.seen import digest
from rl_align.data.tally import Tally
from rl_align.errors import UserError
from rl_align.runfiles.atomic import explained
from rl_align.schema import Item

ROWS_PER_SHARD = 10_000
#: A shard also ends here, whatever its rows: pictures make them large.
_BYTES_PER_SHARD = 512 * 2**20
#: Every split has an open file.
_MAX_SPLITS = 256
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Shards:
    """Writes items into a folder that nobody reads yet. The same items give the same files.

    Args:
        folder: An empty folder.
        rows_per_shard: Most rows of a file.

    Attributes:
        tally: What was written.
        files: Name of the file → its rows; complete after `close`.
    """

    def __init__(self, folder: Path, rows_per_shard: int = ROWS_PER_SHARD):
        if rows_per_shard < 1:
            raise UserError(f"{rows_per_shard} rows", where="rows_per_shard", expected="1 or more")
        self.tally = Tally()
        self.files: dict[str, int] = {}
        self._folder, self._most = folder, rows_per_shard
        self._open: dict[str, tuple[str, ItemWriter] | None] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return self.tally.rows.total()

    def add(self, item: Item) -> None:
        """Appends an item to the file of its split.

        Raises:
            UserError: Too many splits, a field that no column takes, or no space left.
        """
        if item.split not in self._open and len(self._open) == _MAX_SPLITS:
            raise UserError(
                f"more than {_MAX_SPLITS} splits", where=f"item {item.id!r}", fix="the split is read from the wrong field"
            )
        with explained(self._folder):
            name, writer = self._open.get(item.split) or self._start(item.split)
            writer.add(item)
            self.tally.add(item)
            if writer.rows == self._most or writer.bytes >= _BYTES_PER_SHARD:
                self._finish(item.split, name, writer)

    def close(self) -> None:
        """Completes the files. Raises as `add` does."""
        with explained(self._folder):
            for split, found in self._open.items():
                if found:
                    self._finish(split, *found)

    def _start(self, split: str) -> tuple[str, ItemWriter]:
        number = self._numbers.get(split, 0)
        self._numbers[split] = number + 1
        name = f"{file_stem(split)}-{number:05d}.parquet"
        self._open[split] = name, ItemWriter(self._folder / name)
        return self._open[split]

    def _finish(self, split: str, name: str, writer: ItemWriter) -> None:
        writer.close()
        self.files[name] = writer.rows
        self._open[split] = None


def file_stem(split: str) -> str:
    """How the files of a split begin: its name, where that is plain; names that are not stay apart by a hash."""
    if _PLAIN.fullmatch(split):
        return split
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', split)[:40].strip('_') or 'split'}.{digest(split, size=4).hex()}"
