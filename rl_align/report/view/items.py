"""The items of a run's parquet files. Pictures stay in the file until somebody looks at one, and are then named by their hash."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.data.columns import check_columns, from_row, schema
from rl_align.data.items import check_groups
from rl_align.errors import UserError
from rl_align.report.view.lines import stamp_of
from rl_align.schema import Item

#: What lists need of an item.
LIGHT = ("id", "prompt", "expected", "citations", "harmful", "modality", "category", "dataset")
#: Pictures of an item that are shown.
MAX_PICTURES = 8
#: Bytes of decoded pictures that are kept, so that neighbours in a file are not decoded again.
_KEPT_BYTES = 128 * 2**20


@dataclass(frozen=True)
class PictureFile:
    """A picture beside rollouts, for items that are in no parquet file of the run."""

    root: Path
    relative: str


@dataclass(frozen=True)
class PictureCell:
    """A picture of an item in a parquet file."""

    table: ItemTable
    item_id: str
    index: int


class ItemTable:
    """The items of one parquet file.

    Args:
        path: The file.

    Attributes:
        problem: Why its items cannot be shown; None when they can.
        rows: Item id → the columns of `LIGHT`.
    """

    def __init__(self, path: Path):
        self.path, self.problem = path, None
        self.rows: dict[str, dict[str, Any]] = {}
        self._number: dict[str, int] = {}
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._table: Any = None
        try:
            self._open()
        except UserError as error:
            self.problem = str(error)

    def item(self, item_id: str) -> Item | None:
        """An item without its pictures; None for one that is not there or holds a value that it may not."""
        number = self._number.get(item_id)
        if number is None:
            return None
        try:
            return from_row({**self._table.slice(number, 1).to_pylist()[0], "images": []})
        except (TypeError, ValueError, RecursionError):
            return None

    def pictures(self, item_id: str) -> list[bytes]:
        """The first pictures of an item as they are stored."""
        import pyarrow as pa

        number = self._number.get(item_id)
        if number is None:
            return []
        try:
            images = self._images(number)
        except (pa.ArrowException, OSError, ValueError):
            return []  # the file is gone or was replaced; the item stands without them
        return [image["bytes"] for image in (images or [])[:MAX_PICTURES] if image and image["bytes"]]

    def _open(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.path.is_file():
            raise UserError("no such file", where=str(self.path))
        try:
            with pq.ParquetFile(self.path) as file:
                check_columns(file.schema_arrow, self.path)
                check_groups(file.metadata, self.path)
                names = [name for name in schema().names if name != "images"]
                self._table = file.read(columns=names).select(names).cast(pa.schema([schema().field(n) for n in names]))
                sizes = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
            rows = self._table.select(list(LIGHT)).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            what = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(f"not a readable parquet file of items ({what})", where=str(self.path)) from error
        self.rows = {row["id"]: row for row in rows}
        self._number = {row["id"]: number for number, row in enumerate(rows)}
        self._starts = [sum(sizes[:k]) for k in range(len(sizes) + 1)]

    def _images(self, number: int) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        group = next(k for k in range(len(self._starts) - 1) if self._starts[k + 1] > number)
        if group not in self._groups:
            with pq.ParquetFile(self.path) as file:
                self._groups[group] = file.read_row_group(group, columns=["images"])["images"]
            while len(self._groups) > 1 and sum(column.nbytes for column in self._groups.values()) > _KEPT_BYTES:
                self._groups.popitem(last=False)
        return self._groups[group][number - self._starts[group]].as_py()


class ItemCache:
    """The item files of a run as they were read last."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int] | None, ItemTable]] = {}

    def read(self, path: Path) -> ItemTable:
        """The items of a file; one that has changed is read again."""
        stamp, known = stamp_of(path), self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, ItemTable(path))
        return known[1]


class Pictures:
    """Where the pictures stand that have been spoken of, by the hash of their bytes. Nothing else can be asked for."""

    def __init__(self) -> None:
        self._places: dict[str, PictureFile | PictureCell] = {}

    def name(self, data: bytes, place: PictureFile | PictureCell) -> str:
        """The name of a picture, which `data` gives it."""
        digest = hashlib.sha256(data).hexdigest()[:32]
        self._places[digest] = place
        return digest

    def place(self, digest: str) -> PictureFile | PictureCell | None:
        """Where a picture stands; None for a name that was never given."""
        return self._places.get(digest)
