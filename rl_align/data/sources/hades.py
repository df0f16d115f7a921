"""HADES: harm moved from the words into pictures that are made worse in steps 0 to 5 (ECCV 2024, MIT).

Layout (huggingface.co/datasets/Monosail/HADES): data/*.parquet with image, id, scenario, keywords, step, category,
instruction. An id comes once a step; papers report step 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, embedded, ident, one_of, text
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import Row, files
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "hades"
LICENCE = "MIT"
PLACE = "huggingface.co/datasets/Monosail/HADES"
HUB = Hub("Monosail/HADES", large=True)

_COLUMNS = ("image", "id", "scenario", "keywords", "step", "category", "instruction")
_STEPS = ("0", "1", "2", "3", "4", "5")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a picture; the split is step_0 to step_5.

    Raises:
        UserError: No parquet files, or one is broken.
    """
    paths = files(folder, "**/*.parquet", dataset=DATASET)
    return load_tables(parquet_tables(folder, paths, lambda path: ("default", path.name.partition("-")[0]), DATASET))


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`. Raises as `load` does."""
    for table in tables:
        for number, row in enumerate(table.rows(*_COLUMNS)):
            yield attempt(_item, f"{DATASET}/{table.split}/{number}", row, table.folder)


def _item(key: str, row: Row, folder: Path | None) -> Item:
    step = one_of(row, "step", _STEPS)
    scenario = text(row, "scenario")
    return Item(
        id=f"{DATASET}/{ident(row, 'id')}/step_{step}",
        images=(embedded(row, "image", folder),),
        prompt=text(row, "instruction"),
        dataset=DATASET,
        split=f"step_{step}",
        expected=NO_COMPLIANCE,
        citations=cited("hades", scenario),
        harmful=True,
        modality=RiskModality.JOINT,
        category=f"{scenario}/{text(row, 'category')}",
        licence=LICENCE,
        provenance=f"{DATASET}: {text(row, 'keywords')}",
    )
