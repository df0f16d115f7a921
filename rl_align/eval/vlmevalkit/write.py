"""Writes prediction files where VLMEvalKit looks for them: `<folder>/<model>/<model>_<dataset>.xlsx`, or `.tsv`."""

from __future__ import annotations

import csv
import glob
import io
from collections.abc import Sequence
from pathlib import Path

from rl_align.errors import UserError
from rl_align.eval.vlmevalkit.tables import Table
from rl_align.eval.vlmevalkit.xlsx import REPLACED, write_xlsx
from rl_align.runfiles.atomic import write_bytes

#: The kit's own default first; it reads the other one with PRED_FORMAT=tsv, or by its name.
KINDS = ("xlsx", "tsv")


def write_tables(tables: Sequence[Table], folder: Path, kind: str = "xlsx") -> dict[Path, tuple[Table, int]]:
    """Writes them all.

    Returns:
        File → its table, and in how many cells a character was replaced that the format cannot hold.

    Raises:
        UserError: Two of them would be one file, the kit has scored one of that name there, or a file cannot be written.
    """
    files: dict[Path, Table] = {}
    for table in tables:
        path = folder / table.model / f"{table.stem}.{kind}"
        if stale := sorted(path.parent.glob(f"{glob.escape(table.stem)}_*")):
            what = f"{len(stale)} results of the kit lie there: it would take its judge's old replies for the new answers"
            raise UserError(what, where=str(stale[0]), fix="remove them, or choose another folder")
        if path in files:
            raise UserError(f"two logs of {table.dataset} by {table.model}", where=str(path), fix="write each to its own folder")
        files[path] = table
    write = write_xlsx if kind == "xlsx" else _write_tsv
    return {path: (table, write(path, *_plain(table))) for path, table in files.items()}


def _plain(table: Table) -> tuple[list[str], list[list[str | int]]]:
    return list(table.rows[0]), [list(row.values()) for row in table.rows]


def _write_tsv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> int:
    """Every value in quotes, as the kit writes it. pandas ends a table at a NUL, so it is replaced."""
    texts = [[str(value) for value in row] for row in rows]
    replaced = sum("\0" in value for row in texts for value in row)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([columns, *([value.replace("\0", REPLACED) for value in row] for row in texts)])
    write_bytes(path, out.getvalue().encode("utf-8"))
    return replaced
