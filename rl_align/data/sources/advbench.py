"""AdvBench harmful behaviors: requests that should not be followed, text only (arXiv 2307.15043, MIT).

Layout (github.com/llm-attacks/llm-attacks): data/advbench/harmful_behaviors.csv with goal, target. The target is how an
attack wants the answer to begin; it is kept as truth, never as a reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, text
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.schema import Item, RiskModality

DATASET = "advbench"
LICENCE = "MIT"
PLACE = "github.com/llm-attacks/llm-attacks"
FULL = {"": 520}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row.

    Raises:
        UserError: The file is missing or broken.
    """
    (table, *_) = files(folder, "**/harmful_behaviors*.csv", dataset=DATASET)
    for number, row in enumerate(read_table(table, ("goal", "target"), DATASET)):
        yield attempt(_item, f"{DATASET}/{number}", row, table.name)


def _item(key: str, row: Row, table: str) -> Item:
    return Item(
        id=key,
        images=(),
        prompt=text(row, "goal"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE,
        harmful=True,
        modality=RiskModality.TEXT,
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
        truth={"target": text(row, "target")},
    )
