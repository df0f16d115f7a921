"""MSR-Align: questions about pictures with policy-grounded reasoning as answers (arXiv 2506.19257).

huggingface.co/datasets/Leigest/MSR-Align. Its columns and licence are not verified, so that several names of each are known
and any other can be given; the answers have the form that `rl_align.transcript.responder` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import CAUTION, COMPLY, NO_COMPLIANCE, attempt, embedded, ident, optional, picture, text
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_lines, read_parquet, read_records
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Behaviour, Citation, ImageRef, Item, RiskModality
from rl_align.transcript.responder import parse_response

DATASET = "msr_align"
LICENCE = "unknown"
PLACE = "huggingface.co/datasets/Leigest/MSR-Align"
HUB = Hub("Leigest/MSR-Align", large=True)

#: What an item needs → names a column may have, the first one that is there counts. `conversations` holds both texts.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "image_path", "images"),
    "question": ("question", "prompt", "instruction", "query", "conversations"),
    "response": ("response", "output", "answer", "conversations"),
    "policies": ("policy_ids", "policy", "policies"),
    "category": ("category",),
}
_KEY = "real_inputs.msr_align_fields"
_NEEDED = ("image", "question", "response")
_MAX_IMAGES = 16


def load(folder: Path, *, fields: Mapping[str, str] | None = None) -> Iterator[Item | Dropped]:
    """One item a row: the answer section is the reference, the whole transcript is kept as `truth["transcript"]`.

    Args:
        folder: Holds .jsonl, .json or .parquet files, split by name (train where no other is in it).
        fields: Column of image, question, response, policies or category, where it has none of the known names.

    Raises:
        UserError: No files, one is broken, `fields` names something else, or a file has no column for something needed.
    """
    patterns = (f"{place}*.{kind}" for place in ("", "data/") for kind in ("jsonl", "json", "parquet"))
    paths = files(folder, *patterns, dataset=DATASET)
    return load_tables((_file(path, folder) for path in paths), fields=fields)


def load_tables(tables: Iterable[Table], *, fields: Mapping[str, str] | None = None) -> Iterator[Item | Dropped]:
    """As `load`. Raises as `load` does."""
    if unknown := [name for name in fields or {} if name not in FIELDS]:
        raise UserError(f"unknown field {unknown[0]!r}", where=_KEY, expected=f"some of {', '.join(FIELDS)}")
    for table in tables:
        seen, rows = table.open()
        columns = _columns(seen, fields or {}, table.where) if seen else {}
        for number, row in enumerate(rows):
            yield attempt(_item, f"{DATASET}/{table.split}/{table.config}/{number}", row, table.folder, table.split, columns)


def _file(path: Path, folder: Path) -> Table:
    split = next((name for name in ("validation", "test") if path.name.startswith(name)), "train")
    return Table(path.stem, split, str(path), lambda: _rows(path), folder)


def _rows(path: Path) -> Iterator[Row | Dropped]:
    if path.suffix == ".parquet":
        return read_parquet(path, (), DATASET)
    return read_lines(path, DATASET) if path.suffix == ".jsonl" else (row for _, row in read_records(path, DATASET))


def _columns(seen: Sequence[str], given: Mapping[str, str], where: str) -> dict[str, str]:
    """Field → its column in this table."""
    names = {name: (given[name],) if name in given else known for name, known in FIELDS.items()}
    found = {name: next((column for column in known if column in seen), None) for name, known in names.items()}
    if missing := [name for name in (*_NEEDED, *given) if found[name] is None]:
        raise UserError(
            f"no column for {' and '.join(dict.fromkeys(missing))}; columns seen: {', '.join(seen[:20]) or 'none'}",
            where=where,
            expected=", ".join(f"{name} as {' or '.join(FIELDS[name])}" for name in dict.fromkeys(missing)),
            fix=f"name it: `rl-align data prepare` takes options.fields.{missing[0]}=COLUMN, a run {_KEY}.{missing[0]}=COLUMN",
        )
    return {name: column for name, column in found.items() if column}


def _item(key: str, row: Row, folder: Path | None, split: str, columns: Mapping[str, str]) -> Item:
    prompt, transcript = _said(row, columns["question"], 0), _said(row, columns["response"], -1)
    parsed = parse_response(transcript, prompt=prompt)
    if not parsed.parsed:
        raise DataError(BAD_ROW, f"no answer section in the response ({', '.join(parsed.problems)})")
    category = optional(row, columns["category"]) if "category" in columns else None
    harmful = parsed.behaviour is not Behaviour.COMPLY
    policies = _policies(row.get(columns["policies"])) if "policies" in columns else _policies(category)
    return Item(
        id=f"{DATASET}/{split}/{ident(row, 'id')}" if "id" in row else key,
        images=_images(row, columns["image"], folder),
        prompt=prompt,
        dataset=DATASET,
        split=split,
        expected={Behaviour.COMPLY: COMPLY, Behaviour.SAFE_COMPLETE: CAUTION}.get(parsed.behaviour, NO_COMPLIANCE),
        citations=(policies or tuple(c for c in parsed.citations if c.known)) if harmful else (),
        harmful=harmful,
        modality=RiskModality.JOINT if harmful else RiskModality.NONE,
        reference=parsed.answer,
        category=category,
        licence=LICENCE,
        provenance=f"{DATASET}: {split}",
        truth={"transcript": transcript},
    )


def _said(row: Row, column: str, turn: int) -> str:
    """The text of a column, or of one turn where it holds a conversation; image markers are no part of it."""
    value: Any = row.get(column)
    if isinstance(value, list):
        if not value or not isinstance(value[turn], dict):
            raise DataError(BAD_ROW, f"{column} is no conversation")
        said = next((name for name in ("value", "content") if name in value[turn]), "value")
        return text(value[turn], said).replace("<image>", "").strip()
    return text(row, column).replace("<image>", "").strip()


def _images(row: Row, column: str, folder: Path | None) -> tuple[ImageRef, ...]:
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= _MAX_IMAGES:
        raise DataError(BAD_ROW, f"{len(values)} pictures")
    roots = (".", "images")
    return tuple(
        picture(folder, v, roots) if folder and isinstance(v, str) else embedded({column: v}, column, folder) for v in values
    )


def _policies(value: Any) -> tuple[Citation, ...]:
    names = [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]
    found = (Catalogue.load().resolve(name) for name in names)
    return tuple(dict.fromkeys(Citation(policy.id) for policy in found if policy))
