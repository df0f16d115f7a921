"""HADES: harm moved from the words into pictures that are made worse in steps 0 to 5 (ECCV 2024, MIT).

Layout (huggingface.co/datasets/Monosail/HADES): data/*.parquet with image, id, scenario, keywords, step, category,
instruction. An id comes once a step; papers report step 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, embedded, ident, one_of, text
from rl_align.data.sources.tables import Row, files, read_parquet
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "hades"
LICENCE = "MIT"

_COLUMNS = ("image", "id", "scenario", "keywords", "step", "category", "instruction")
_STEPS = ("0", "1", "2", "3", "4", "5")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a picture; the split is step_0 to step_5.

    Raises:
        UserError: No parquet files, or one is broken.
    """
    for path in files(folder, "**/*.parquet", dataset=DATASET):
        for number, row in enumerate(read_parquet(path, _COLUMNS, DATASET)):
            yield attempt(_item, f"{DATASET}/{path.stem}/{number}", row, folder)


def _item(key: str, row: Row, folder: Path) -> Item:
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
