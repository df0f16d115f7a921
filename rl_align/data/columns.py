"""The columns of an item file: one row an item, images as bytes, every field of the item kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.errors import UserError
from rl_align.schema import Behaviour, Citation, ImageRef, Item, RiskModality

if TYPE_CHECKING:
    import pyarrow

#: Version of the columns below; a file of another version is refused rather than guessed at.
SCHEMA_VERSION = 2
_VERSION_KEY = b"rl_align.items"
REMAKE = "make the dataset again"


def schema() -> pyarrow.Schema:
    """The columns and the version that a file is marked with."""
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


def to_row(item: Item) -> dict[str, Any]:
    """Column → value. Images given by path are read; tuples inside `truth` become lists.

    Raises:
        UserError: An unreadable image, or a truth that is not JSON.
    """
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


def from_row(row: Mapping[str, Any]) -> Item:
    """The item of a row. Raises TypeError or ValueError when a value is outside its closed set or missing."""
    truth = json.loads(row["truth"], parse_constant=_no_number)
    if not isinstance(truth, dict):
        raise TypeError("truth is no JSON object")
    if any(image is None or image["bytes"] is None for image in row["images"]):
        raise TypeError("an image without bytes")
    if any(citation is None or citation["policy"] is None for citation in row["citations"]):
        raise TypeError("a citation without a policy")
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
        truth=truth,
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} in truth is not JSON")


def check_columns(found: pyarrow.Schema, path: Path) -> None:
    """Raises UserError when a file of these columns is of another version, or no item file."""
    version = (found.metadata or {}).get(_VERSION_KEY)
    if version is not None and version != str(SCHEMA_VERSION).encode():
        raise UserError(
            f"items of schema version {version.decode(errors='replace')}",
            where=str(path),
            expected=f"version {SCHEMA_VERSION}",
            fix=REMAKE,
        )
    missing = [name for name in schema().names if name not in found.names]
    if missing:
        raise UserError(
            f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            where=str(path),
            expected=f"an item file (columns seen: {', '.join(found.names[:20]) or 'none'})",
            fix=REMAKE,
        )
    if version is None:
        raise UserError("no item schema version in the file", where=str(path), expected="an item file", fix=REMAKE)
