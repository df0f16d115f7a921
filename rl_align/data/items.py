"""Items ⇄ parquet: whole files, or row by row in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rl_align.data.columns import REMAKE, check_columns, from_row, schema, to_row
from rl_align.data.files import replacing
from rl_align.data.quarantine import Dropped
from rl_align.data.seen import Seen
from rl_align.errors import UserError
from rl_align.schema import Item

BAD_VALUE = "bad_value"
#: A row group ends at whichever comes first; a reader holds one at a time.
_ROWS_PER_GROUP, _BYTES_PER_GROUP = 512, 64 * 2**20
#: Row groups that claim more are not decoded.
_MAX_GROUP_BYTES = 4 * 2**30
_ROWS_PER_BATCH = 128


class ItemWriter:
    """Writes items to a parquet file as they come. The same items give the same bytes.

    Args:
        path: The file, which is unfinished until `close`: hand in a temporary path.
        shown: What messages call it.
    """

    def __init__(self, path: Path, shown: str | Path | None = None):
        import pyarrow.parquet as pq

        self.rows = self.bytes = 0
        self._shown = str(shown or path)
        self._writer = pq.ParquetWriter(path, schema(), compression="zstd")
        self._batch: list[dict[str, Any]] = []
        self._batch_bytes = 0

    def add(self, item: Item) -> None:
        """Appends an item.

        Raises:
            UserError: An unreadable image, a truth that is not JSON, or text that is not Unicode.
            OSError: The file cannot be written.
        """
        row = to_row(item)
        size = sum(len(image["bytes"]) for image in row["images"]) + len(row["prompt"]) + len(row["truth"])
        self._batch.append(row)
        self._batch_bytes += size
        self.rows += 1
        self.bytes += size
        if len(self._batch) == _ROWS_PER_GROUP or self._batch_bytes >= _BYTES_PER_GROUP:
            self._flush()

    def close(self, complete: bool = True) -> None:
        """Writes what is left, unless the file is to be thrown away, and the footer. Raises as `add` does."""
        if self._batch and complete:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        try:
            self._writer.write_table(pa.Table.from_pylist(self._batch, schema=schema()))
        except (pa.ArrowException, UnicodeError, TypeError) as error:
            raise UserError(f"a field has the wrong type or is not Unicode ({error})", where=self._shown) from error
        self._batch.clear()
        self._batch_bytes = 0


def write_items(path: str | Path, items: Iterable[Item]) -> int:
    """Writes items to a parquet file, completely or not at all. The same items give the same bytes.

    An image given by path is read and stored as bytes; the path is not kept. Tuples inside `truth` become lists.

    Returns:
        How many items were written.

    Raises:
        UserError: No items, a repeated id, an unreadable image, a truth that is not JSON, text that is not Unicode,
            or a place that cannot be written.
    """
    seen = Seen()
    with replacing(path) as temporary:
        writer = ItemWriter(temporary, path)
        try:
            for item in items:
                if not seen.add(item.id):
                    raise UserError(f"item id {item.id!r} occurs twice", where=str(path), expected="unique ids")
                writer.add(item)
            if not writer.rows:
                raise UserError("no items to write", where=str(path), expected="at least one item")
        except BaseException:
            writer.close(complete=False)
            raise
        writer.close()
    return writer.rows


def read_items(path: str | Path) -> list[Item]:
    """Reads items written by `write_items`, in their order.

    Raises:
        UserError: Missing file, not parquet, damaged, another schema version, missing column, a column of another
            type, a value outside a closed set (with its row), a repeated id, or no rows.
    """
    items: list[Item] = []
    seen = Seen()
    for number, record in enumerate(scan_items(path)):
        if isinstance(record, Dropped):
            raise UserError(f"bad value ({record.detail})", where=f"{path} row {number}", fix=REMAKE)
        if not seen.add(record.id):
            raise UserError(f"item id {record.id!r} occurs twice", where=f"{path} row {number}", expected="unique ids")
        items.append(record)
    if not items:
        raise UserError("empty dataset", where=str(path), expected="at least one item", fix=REMAKE)
    return items


def scan_items(path: str | Path) -> Iterator[Item | Dropped]:
    """The rows of an item file one by one, in memory that does not grow with the file. A row that is no item comes as `Dropped`.

    Raises:
        UserError: Missing file, not parquet, damaged (with the row before it), another schema version, a missing column or one of
            another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, number = Path(path), 0
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise UserError(what, where=str(path), expected="a parquet file of items")
    try:
        with pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            check_columns(file.schema_arrow, path)
            check_groups(file.metadata, path)
            columns = schema()
            # A type that cannot be cast is wrong in every row: it is the file's fault, not a row's.
            file.schema_arrow.empty_table().select(columns.names).cast(columns)
            for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns.names):
                for row in _rows(pa.Table.from_batches([batch]).select(columns.names), columns):
                    yield _item(row, f"{path.name}:{number}")
                    number += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"not a readable parquet file of items ({_first_line(error)})",
            where=f"{path} after row {number}" if number else str(path),
            expected="a complete file of the item schema",
            fix=REMAKE,
        ) from error


def _rows(table: Any, columns: Any) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a small table; where they cannot be read together, each alone, or what is wrong with it."""
    import pyarrow as pa

    try:
        yield from table.cast(columns).to_pylist()
    except (pa.ArrowException, ValueError) as error:
        if table.num_rows == 1:
            yield error
            return
        for number in range(table.num_rows):
            yield from _rows(table.slice(number, 1), columns)


def _item(row: dict[str, Any] | Exception, where: str) -> Item | Dropped:
    try:
        if isinstance(row, Exception):
            raise row
        return from_row(row)
    except (TypeError, ValueError, RecursionError) as error:
        return Dropped(where, BAD_VALUE, _first_line(error))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def check_groups(metadata: Any, path: Path) -> None:
    """Raises UserError for a file that claims more in a row group than anybody should decode."""
    for number in range(metadata.num_row_groups):
        if (size := metadata.row_group(number).total_byte_size) > _MAX_GROUP_BYTES:
            most = f"at most {_MAX_GROUP_BYTES}"
            raise UserError(f"row group {number} holds {size} bytes", where=str(path), expected=most, fix=REMAKE)
