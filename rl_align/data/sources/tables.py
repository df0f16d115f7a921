"""Files of datasets, read strictly: a broken file is an error, a broken row a drop."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.data.quarantine import Dropped
from rl_align.errors import UserError

BAD_ROW = "bad_row"
#: JSON is read whole; the largest such file of a known dataset has some 30 MB.
MAX_JSON_BYTES = 512 * 2**20
_MAX_KEY = 200
#: Rows of a parquet file decoded at once: pictures make them large.
_BATCH = 32

Row = Mapping[str, Any]


def files(folder: Path, *patterns: str, dataset: str) -> list[Path]:
    """Regular files below `folder` that match any of the glob patterns, sorted, each once.

    Raises:
        UserError: There is none.
    """
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    if not found:
        raise UserError(f"no {' or '.join(patterns)}", where=str(folder), expected=f"a local copy of {dataset}")
    return found


def read_table(
    path: Path,
    columns: Sequence[str],
    dataset: str,
    *,
    optional: Sequence[str] = (),
    delimiter: str = ",",
    fold_case: bool = False,
) -> Iterator[dict[str, str] | Dropped]:
    """Rows of a UTF-8 file of separated values with a header. Every cell is a string: "NaN" and "null" are texts.

    Rows with too few or too many cells, or with an empty required cell, come as `Dropped`.

    Args:
        path: The file.
        columns: Columns that must be there and may not be empty.
        dataset: Name for messages.
        optional: Columns that must be there and may be empty.
        delimiter: What separates cells.
        fold_case: Take the header in lower case, without spaces around it.

    Raises:
        UserError: Missing file, not UTF-8, not CSV (an unclosed quote would swallow the rows after it), a missing
            column, or no rows.
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path), expected=f"a local copy of {dataset} in its official layout")
    empty = True
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True, delimiter=delimiter)
        try:
            if fold_case and reader.fieldnames:
                reader.fieldnames = [name.strip().lower() for name in reader.fieldnames]
            check_columns(reader.fieldnames or (), [*columns, *optional], path)
            for row in reader:
                empty = False
                if None in row or None in row.values():
                    yield Dropped(f"{dataset}/{path.name}:{reader.line_num}", BAD_ROW, "cells do not match the header")
                elif blank := [name for name in columns if not row[name].strip()]:
                    yield Dropped(f"{dataset}/{path.name}:{reader.line_num}", BAD_ROW, f"empty {', '.join(blank)}")
                else:
                    yield row
        except UnicodeDecodeError as error:
            raise UserError("not UTF-8", where=f"{path} after line {reader.line_num}") from error
        except csv.Error as error:
            raise UserError(f"not CSV ({error})", where=f"{path} line {reader.line_num}") from error
    if empty:
        raise UserError("no rows", where=str(path), expected=f"rows of {dataset}")


def read_json(path: Path, dataset: str) -> Any:
    """The value in a JSON file.

    Raises:
        UserError: Missing or oversized file, not UTF-8, not JSON, nested too deep, or a key that occurs twice in one
            object (the earlier value would be lost).
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path), expected=f"a local copy of {dataset} in its official layout")
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise UserError(f"{size} bytes", where=str(path), expected=f"at most {MAX_JSON_BYTES}")
    return _parsed(path.read_bytes(), str(path))


def read_records(path: Path, dataset: str) -> Iterator[tuple[str, Row | Dropped]]:
    """Name and row of every record in a JSON file: a list (named by position) or an object of rows (named by key).

    What is no object comes as `Dropped`.

    Raises:
        UserError: As `read_json`; also when the file holds neither list nor object, or nothing.
    """
    tree = read_json(path, dataset)
    if not isinstance(tree, (list, dict)) or not tree:
        raise UserError("no rows", where=str(path), expected=f"a JSON list or object with rows of {dataset}")
    yield from numbered(tree, f"{dataset}/{path.name}")


def numbered(tree: Any, where: str) -> Iterator[tuple[str, Row | Dropped]]:
    """Name and row of every record in a list or object from JSON; anything else is one drop."""
    if not isinstance(tree, (list, dict)):
        yield where, Dropped(where, BAD_ROW, f"{type(tree).__name__} where a list of rows belongs")
        return
    for number, key in enumerate(tree):
        name, row = (key, tree[key]) if isinstance(tree, dict) else (str(number), key)
        if len(name) > _MAX_KEY or not name.isprintable():
            name = str(number)
            row = Dropped(f"{where}:{number}", BAD_ROW, "its key is too long or not printable")
        elif not isinstance(row, dict):
            row = Dropped(f"{where}:{name}", BAD_ROW, f"{type(row).__name__} where an object belongs")
        yield name, row


def read_lines(path: Path, dataset: str) -> Iterator[Row | Dropped]:
    """Rows of a JSON-lines file; lines that are no JSON object come as `Dropped`, blank lines are no rows."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{dataset}/{path.name}:{number}"
            if not line.strip():
                continue
            try:
                row = _parsed(line, where)
            except UserError as error:
                yield Dropped(where, BAD_ROW, str(error))
                continue
            yield row if isinstance(row, dict) else Dropped(where, BAD_ROW, f"{type(row).__name__} where an object belongs")


def read_parquet(path: Path, columns: Sequence[str], dataset: str) -> Iterator[Row | Dropped]:
    """Rows of a parquet file with all its columns, a few in memory at a time. Undecodable rows come as `Dropped`.

    Raises:
        UserError: Not a readable parquet file, or a missing column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            check_columns(file.schema_arrow.names, columns, path)
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in rows_of(batch, f"{dataset}/{path.name}", number):
                    yield row
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"not a readable parquet file ({str(error).splitlines()[0]})", where=f"{path} after row {number}"
        ) from error
    if not number:
        raise UserError("no rows", where=str(path), expected=f"rows of {dataset}")


def rows_of(batch: Any, where: str, first: int) -> Iterator[Row | Dropped]:
    """The rows of a pyarrow table or batch, one by one. Undecodable ones come as `Dropped`, numbered from `first` on."""
    for i in range(batch.num_rows):
        try:
            yield batch.slice(i, 1).to_pylist()[0]
        except (UnicodeDecodeError, ValueError, OverflowError) as error:
            yield Dropped(f"{where}:{first + i}", BAD_ROW, f"cannot be decoded ({error})")


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8", where=where) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON ({error})", where=where) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return made


def check_columns(seen: Sequence[str], columns: Sequence[str], where: str | Path) -> None:
    """Raises UserError when one of the columns is not among those seen."""
    missing = [name for name in columns if name not in seen]
    if missing:
        raise UserError(
            f"missing column {', '.join(missing)}",
            where=str(where),
            expected=f"{', '.join(columns)} (seen: {', '.join(seen[:20]) or 'none'})",
        )
