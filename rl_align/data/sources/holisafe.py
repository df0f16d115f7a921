"""HoliSafe-Bench: every combination of safe and unsafe picture and question (arXiv 2506.04704; access on request).

Layout (huggingface.co/datasets/etri-vilab/holisafe-bench): holisafe_bench.json, a list of {id, image, query, category,
subcategory, type, image_safe, image_safety_label}, and pictures in images/, or test*.parquet with pictures in the rows. A type
reads [picture][query][together].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, embedded, ident, one_of, optional, picture, text
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import Row, files, read_records
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "holisafe"
LICENCE = "terms of access"
PLACE = "huggingface.co/datasets/etri-vilab/holisafe-bench"
HUB = Hub("etri-vilab/holisafe-bench", files=("*.json", "*.parquet", "images/*", "*.zip"))
FULL = {"": 4031}

#: Type → where the risk comes from.
TYPES = {
    "SSS": RiskModality.NONE,
    "SSU": RiskModality.JOINT,
    "USU": RiskModality.IMAGE,
    "SUU": RiskModality.TEXT,
    "UUU": RiskModality.JOINT,
}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row. SSS is to be answered, all else not.

    Raises:
        UserError: The file is missing or broken.
    """
    found = files(folder, "**/holisafe_bench*.json", "**/test*.parquet", dataset=DATASET)
    lists = [path for path in found if path.suffix == ".json"]
    for path in lists:
        for number, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/row-{number}", row, folder)
    if not lists:
        yield from load_tables(parquet_tables(folder, found, lambda path: ("default", "test"), DATASET))


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`, from rows that hold their picture. Raises as `load` does."""
    for table in tables:
        for number, row in enumerate(table.rows("id", "image", "query", "category", "type")):
            yield attempt(_item, f"{DATASET}/row-{number}", row, None)


def _item(key: str, row: Row, folder: Path | None) -> Item:
    kind = one_of(row, "type", TYPES)
    harmful = kind != "SSS"
    subcategory = optional(row, "subcategory")
    return Item(
        id=f"{DATASET}/{ident(row, 'id')}",
        images=(picture(folder, text(row, "image"), ("images", ".")) if folder else embedded(row, "image", None),),
        prompt=text(row, "query"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE if harmful else COMPLY,
        citations=cited("holisafe", subcategory) if harmful else (),
        harmful=harmful,
        modality=TYPES[kind],
        category=f"{kind}/{text(row, 'category')}/{subcategory}",
        licence=LICENCE,
        provenance=f"{DATASET}: test",
    )
