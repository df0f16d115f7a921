"""CSV files of datasets, read strictly: a broken file is an error, a broken row a drop."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.errors import UserError

BAD_ROW = "bad_row"


def read_table(path: Path, columns: Sequence[str], dataset: str) -> Iterator[dict[str, str] | Dropped]:
    """Rows of a UTF-8 CSV file with a header, each with at least `columns`, none of these empty.

    Rows with too few or too many cells, or with an empty required cell, come as `Dropped`.

    Raises:
        UserError: Missing file, not UTF-8, not CSV (an unclosed quote would swallow the rows after it), a missing
            column, or no rows.
    """
    if not path.is_file():
        raise UserError("no such file", where=str(path), expected=f"a local copy of {dataset} in its official layout")
    empty = True
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"missing column {', '.join(missing)}",
                    where=str(path),
                    expected=f"{', '.join(columns)} (seen: {', '.join((reader.fieldnames or ())[:20]) or 'none'})",
                )
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
