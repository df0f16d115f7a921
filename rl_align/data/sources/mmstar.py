"""MMStar: multiple choice that cannot be answered without the picture (NeurIPS 2024; licence not verified).

Layout (huggingface.co/datasets/Lin-Chen/MMStar): val*.parquet with index, question (choices inside), image, answer (a letter),
category, l2_category, meta_info.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, attempt, embedded, ident, one_of, text
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import Row, files
from rl_align.schema import Item

DATASET = "mmstar"
LICENCE = "unknown"
PLACE = "huggingface.co/datasets/Lin-Chen/MMStar"
HUB = Hub("Lin-Chen/MMStar", splits=("val", "validation"))
FULL = {"": 1500}

_COLUMNS = ("index", "question", "image", "answer", "category", "l2_category")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question; its reference is the letter.

    Raises:
        UserError: No parquet file, or it is broken.
    """
    paths = files(folder, "**/val*.parquet", "**/mmstar*.parquet", dataset=DATASET)
    return load_tables(parquet_tables(folder, paths, lambda path: ("val", "val"), DATASET))


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`. Raises as `load` does."""
    for table in tables:
        for number, row in enumerate(table.rows(*_COLUMNS)):
            yield attempt(_item, f"{DATASET}/row/{number}", row, table.folder)


def _item(key: str, row: Row, folder: Path | None) -> Item:
    answer = one_of(row, "answer", "ABCD")
    return Item(
        id=f"{DATASET}/{ident(row, 'index')}",
        images=(embedded(row, "image", folder),),
        prompt=text(row, "question"),
        dataset=DATASET,
        split="val",
        expected=COMPLY,
        harmful=False,
        reference=answer,
        category=f"{text(row, 'category')}/{text(row, 'l2_category')}",
        licence=LICENCE,
        provenance=f"{DATASET}: val",
        truth={"answer": answer},
    )
