"""A table of a source, wherever its rows are read from: parquet files of a local copy, or the library `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.tables import Row, check_columns, read_parquet
from rl_align.errors import UserError

#: Configuration and split.
Part = tuple[str, str]


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        config: The configuration it belongs to, which on the Hub is a part of the data, such as a category.
        split: Its split.
        where: What messages call it.
        read: Gives its rows from the first one on.
        folder: What its pictures lie below where they are given by name; None where they must be in the rows.
    """

    config: str
    split: str
    where: str
    read: Callable[[], Iterator[Row | Dropped]]
    folder: Path | None = None

    def rows(self, *columns: str) -> Iterator[Row | Dropped]:
        """The rows, a few in memory at a time.

        Raises:
            UserError: A column is missing, there are no rows, or they cannot be read.
        """
        _, rows = self.open(*columns)
        return rows

    def open(self, *columns: str) -> tuple[tuple[str, ...], Iterator[Row | Dropped]]:
        """The names of the columns, and the rows. Raises as `rows` does."""
        rows, passed = self.read(), []
        for row in rows:
            passed.append(row)
            if not isinstance(row, Dropped):
                check_columns([*row], columns, self.where)
                return tuple(row), chain(passed, rows)
        if not passed:
            raise UserError("no rows", where=self.where)
        return (), iter(passed)

    def unknown(self, dataset: str, expected: Iterable[str]) -> UserError:
        """The error that says that this table is no part of the source."""
        what = f"config {self.config!r}, split {self.split!r}"
        return UserError(what, where=self.where, expected=f"{dataset}: {', '.join(expected)}")


def parquet_tables(folder: Path, paths: Sequence[Path], part: Callable[[Path], Part], dataset: str) -> Iterator[Table]:
    """The tables of a local copy: files of one part are its shards, in order of their names.

    Args:
        folder: The copy.
        paths: Its parquet files.
        part: Configuration and split of a file.
        dataset: Name for messages.
    """
    for (config, split), shards in groupby(sorted(paths, key=lambda path: (part(path), path)), part):
        files = tuple(shards)

        def read(files: Sequence[Path] = files) -> Iterator[Row | Dropped]:
            return chain.from_iterable(read_parquet(path, (), dataset) for path in files)

        yield Table(config, split, str(files[0]), read, folder)
