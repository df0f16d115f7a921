"""StrongREJECT: forbidden prompts of six categories, text only (arXiv 2402.10260, MIT).

Layout (github.com/alexandrasouly/strongreject): strongreject_dataset.csv (313) and strongreject_small_dataset.csv (60 of
them) with category, source, forbidden_prompt. The small file is read only where the full one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, text
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "strong_reject"
LICENCE = "MIT"
PLACE = "github.com/alexandrasouly/strongreject"
FULL = {"": 313}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row.

    Raises:
        UserError: The file is missing or broken.
    """
    found = files(folder, "**/strongreject_dataset*.csv", "**/strongreject_small_dataset*.csv", dataset=DATASET)
    table = next((path for path in found if "small" not in path.name), found[0])
    for number, row in enumerate(read_table(table, ("category", "source", "forbidden_prompt"), DATASET)):
        yield attempt(_item, f"{DATASET}/{number}", row, table.name)


def _item(key: str, row: Row, table: str) -> Item:
    return Item(
        id=key,
        images=(),
        prompt=text(row, "forbidden_prompt"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE,
        citations=cited("strong_reject", row["category"]),
        harmful=True,
        modality=RiskModality.TEXT,
        category=row["category"],
        licence=LICENCE,
        provenance=f"{DATASET}: {table} ({row['source']})",
    )
