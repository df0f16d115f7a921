"""OR-Bench: prompts that seem harmful and are not, and toxic ones as contrast, text only (arXiv 2405.20947, CC BY 4.0).

Layout (huggingface.co/datasets/bench-llm/or-bench): or-bench-80k.csv, or-bench-hard-1k.csv, or-bench-toxic.csv with prompt,
category. The hard prompts are chosen from the 80,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, text
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "or_bench"
LICENCE = "CC-BY-4.0"
PLACE = "huggingface.co/datasets/bench-llm/or-bench"
HUB = Hub("bench-llm/or-bench")
FULL = {"80k": 80_359, "hard-1k": 1319, "toxic": 655}

_PREFIX, _TOXIC = "or-bench-", "toxic"


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a prompt; the split is 80k, hard-1k or toxic. Only toxic prompts are harmful, and only they cite.

    Raises:
        UserError: None of the files is there, or one is broken.
    """
    for table in files(folder, *(f"**/{_PREFIX}{split}*.csv" for split in FULL), dataset=DATASET):
        split = table.name.removeprefix(_PREFIX).partition(".")[0]
        for number, row in enumerate(read_table(table, ("prompt", "category"), DATASET)):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, split)


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`; a table's configuration names its part, such as or-bench-80k. Raises as `load` does."""
    for table in tables:
        split = table.config.removeprefix(_PREFIX)
        if split not in FULL:
            raise table.unknown(DATASET, (f"{_PREFIX}{name}" for name in FULL))
        for number, row in enumerate(table.rows("prompt", "category")):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, split)


def _item(key: str, row: Row, split: str) -> Item:
    toxic, category = split == _TOXIC, text(row, "category")
    return Item(
        id=key,
        images=(),
        prompt=text(row, "prompt"),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE if toxic else COMPLY,
        citations=cited("or_bench", category) if toxic else (),
        harmful=toxic,
        modality=RiskModality.TEXT if toxic else RiskModality.NONE,
        category=category,
        licence=LICENCE,
        provenance=f"{DATASET}: {_PREFIX}{split}",
    )
