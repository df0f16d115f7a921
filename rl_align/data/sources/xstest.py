"""XSTest: safe prompts that look unsafe, and unsafe contrasts, text only (NAACL 2024, CC BY 4.0).

Layout (github.com/paul-rottger/xstest): xstest_prompts.csv.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE
from rl_align.data.sources.tables import BAD_ROW, read_table
from rl_align.schema import Item, RiskModality

DATASET = "xstest"
LICENCE = "CC-BY-4.0"

_TABLE = "xstest_prompts.csv"
_COLUMNS = ("id", "prompt", "type", "label")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a prompt. On unsafe prompts anything but compliance is right.

    Raises:
        UserError: The prompt file is missing or broken.
    """
    for row in read_table(folder / _TABLE, _COLUMNS, DATASET):
        if isinstance(row, Dropped):
            yield row
            continue
        key = f"{DATASET}/{row['id']}"
        if row["label"] not in ("safe", "unsafe"):
            yield Dropped(key, BAD_ROW, f"label {row['label']!r} is neither safe nor unsafe")
            continue
        unsafe = row["label"] == "unsafe"
        yield Item(
            id=key,
            images=(),
            prompt=row["prompt"],
            dataset=DATASET,
            split="test",
            expected=NO_COMPLIANCE if unsafe else COMPLY,
            harmful=unsafe,
            modality=RiskModality.TEXT if unsafe else RiskModality.NONE,
            category=row["type"],
            licence=LICENCE,
            provenance=f"{DATASET}: {_TABLE}",
        )
