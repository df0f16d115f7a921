"""Writes tiny files in the layouts of datasets: harmless words, plain pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from rl_align.data.quarantine import Dropped
from rl_align.schema import Item


def png(mode: str = "RGB", size: tuple[int, int] = (76, 76)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, "white").save(buffer, "PNG")
    return buffer.getvalue()


def embedded() -> dict[str, Any]:
    """A picture as Hugging Face's parquet files hold it."""
    return {"bytes": png(), "path": None}


def picture(path: Path, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(mode))


def table(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def tree(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def split(records: Iterable[Item | Dropped]) -> tuple[list[Item], list[Dropped]]:
    """Items and drops."""
    found = list(records)
    return [r for r in found if isinstance(r, Item)], [r for r in found if isinstance(r, Dropped)]
