"""Items ⇄ parquet: one row an item, images as bytes, every field of the item kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.data.files import replacing
from rl_align.errors import UserError
from rl_align.schema import Behaviour, Citation, ImageRef, Item, RiskModality

if TYPE_CHECKING:
    import pyarrow

#: Version of the columns below; a file of another version is refused rather than guessed at.
SCHEMA_VERSION = 2
_VERSION_KEY = b"rl_align.items"
_ROWS_PER_GROUP = 512
_REMAKE = "make the dataset again with `rl-align data make`"


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    citation = pa.struct([("policy", pa.string()), ("rule", pa.int32()), ("known", pa.bool_())])
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("images", pa.list_(pa.struct([("bytes", pa.binary())])), nullable=False),
            pa.field("prompt", pa.string(), nullable=False),
            pa.field("dataset", pa.string(), nullable=False),
            pa.field("split", pa.string(), nullable=False),
            pa.field("expected", pa.list_(pa.string()), nullable=False),
            pa.field("citations", pa.list_(citation), nullable=False),
            pa.field("harmful", pa.bool_()),
            pa.field("modality", pa.string(), nullable=False),
            pa.field("reference", pa.string()),
            pa.field("rejected", pa.string()),
            pa.field("twin", pa.string()),
            pa.field("category", pa.string()),
            pa.field("licence", pa.string(), nullable=False),
            pa.field("provenance", pa.string(), nullable=False),
            pa.field("truth", pa.string(), nullable=False),
        ],
        metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()},
    )


def _to_row(item: Item) -> dict[str, Any]:
    try:
        images = [{"bytes": image.read()} for image in item.images]
    except OSError as error:
        raise UserError(f"an image cannot be read ({error.strerror or error})", where=f"item {item.id!r}") from error
    try:
        truth = json.dumps(dict(item.truth), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"truth is not JSON ({error})", where=f"item {item.id!r}") from error
    return {
        "id": item.id,
        "images": images,
        "prompt": item.prompt,
        "dataset": item.dataset,
        "split": item.split,
        "expected": [behaviour.value for behaviour in item.expected],
        "citations": [{"policy": c.policy, "rule": c.rule, "known": c.known} for c in item.citations],
        "harmful": item.harmful,
        "modality": item.modality.value,
        "reference": item.reference,
        "rejected": item.rejected,
        "twin": item.twin,
        "category": item.category,
        "licence": item.licence,
        "provenance": item.provenance,
        "truth": truth,
    }


def _from_row(row: Mapping[str, Any]) -> Item:
    return Item(
        id=row["id"],
        images=tuple(ImageRef(data=image["bytes"]) for image in row["images"]),
        prompt=row["prompt"],
        dataset=row["dataset"],
        split=row["split"],
        expected=tuple(Behaviour(name) for name in row["expected"]),
        citations=tuple(Citation(c["policy"], c["rule"], c["known"]) for c in row["citations"]),
        harmful=row["harmful"],
        modality=RiskModality(row["modality"]),
        reference=row["reference"],
        rejected=row["rejected"],
        twin=row["twin"],
        category=row["category"],
        licence=row["licence"],
        provenance=row["provenance"],
        truth=json.loads(row["truth"]),
    )


def write_items(path: str | Path, items: Iterable[Item]) -> int:
    """Writes items to a parquet file, completely or not at all. The same items give the same bytes.

    An image given by path is read and stored as bytes; the path is not kept. Tuples inside `truth` become lists.

    Returns:
        How many items were written.

    Raises:
        UserError: No items, a repeated id, an unreadable image, a truth that is not JSON, text that is not Unicode,
            or a place that cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    ids: set[str] = set()
    rows: list[dict[str, Any]] = []

    def flush(writer: pq.ParquetWriter) -> None:
        try:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        except (pa.ArrowException, UnicodeError, TypeError) as error:
            raise UserError(f"a field has the wrong type or is not Unicode ({error})", where=str(path)) from error
        rows.clear()

    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for item in items:
            if item.id in ids:
                raise UserError(f"item id {item.id!r} occurs twice", where=str(path), expected="unique ids")
            ids.add(item.id)
            rows.append(_to_row(item))
            if len(rows) == _ROWS_PER_GROUP:
                flush(writer)
        if not ids:
            raise UserError("no items to write", where=str(path), expected="at least one item")
        if rows:
            flush(writer)
    return len(ids)


def _check_columns(found: pyarrow.Schema, path: Path) -> None:
    version = (found.metadata or {}).get(_VERSION_KEY)
    if version is not None and version != str(SCHEMA_VERSION).encode():
        raise UserError(
            f"items of schema version {version.decode(errors='replace')}",
            where=str(path),
            expected=f"version {SCHEMA_VERSION}",
            fix=_REMAKE,
        )
    missing = [name for name in _schema().names if name not in found.names]
    if missing:
        raise UserError(
            f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            where=str(path),
            expected=f"an item file (columns seen: {', '.join(found.names[:20]) or 'none'})",
            fix=_REMAKE,
        )
    if version is None:
        raise UserError("no item schema version in the file", where=str(path), expected="an item file", fix=_REMAKE)


def read_items(path: str | Path) -> list[Item]:
    """Reads items written by `write_items`, in their order.

    Raises:
        UserError: Missing file, not parquet, damaged, another schema version, missing column, a column of another
            type, a value outside a closed set (with its row), a repeated id, or no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise UserError(what, where=str(path), expected="a parquet file of items")
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(file.schema_arrow, path)
            schema = _schema()
            rows = file.read(columns=schema.names).select(schema.names).cast(schema).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"not a readable parquet file of items ({reason})",
            where=str(path),
            expected="a complete file of the item schema",
            fix=_REMAKE,
        ) from error
    if not rows:
        raise UserError("empty dataset", where=str(path), expected="at least one item", fix=_REMAKE)
    items = []
    ids: set[str] = set()
    for number, row in enumerate(rows):
        try:
            item = _from_row(row)
        except (TypeError, ValueError) as error:
            raise UserError(f"bad value ({error})", where=f"{path} row {number}", fix=_REMAKE) from error
        if item.id in ids:
            raise UserError(f"item id {item.id!r} occurs twice", where=f"{path} row {number}", expected="unique ids")
        ids.add(item.id)
        items.append(item)
    return items
