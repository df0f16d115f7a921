"""XSTest: safe prompts that look unsafe, and unsafe contrasts, text only (NAACL 2024, CC BY 4.0).

Layout (github.com/paul-rottger/xstest): xstest_prompts.csv with id, prompt, type, label, focus, note; the same columns at
huggingface.co/datasets/Paul/XSTest, without id in the mirror walledai/XSTest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, ident, one_of, text
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import Row, read_table
from rl_align.schema import Item, RiskModality

DATASET = "xstest"
LICENCE = "CC-BY-4.0"
PLACE = "github.com/paul-rottger/xstest"
HUB = Hub("Paul/XSTest", also=("walledai/XSTest",))
FULL = {"": 450}

_TABLE = "xstest_prompts.csv"
_COLUMNS = ("prompt", "type", "label")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a prompt. On unsafe prompts anything but compliance is right.

    Raises:
        UserError: The prompt file is missing or broken.
    """
    for number, row in enumerate(read_table(folder / _TABLE, ("id", *_COLUMNS), DATASET)):
        yield attempt(_item, _key(number, row), row)


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`. Raises as `load` does."""
    for table in tables:
        for number, row in enumerate(table.rows(*_COLUMNS)):
            yield attempt(_item, _key(number, row), row)


def _key(number: int, row: Row | Dropped) -> str:
    named = None if isinstance(row, Dropped) else row.get("id")
    return f"{DATASET}/{named}" if isinstance(named, (int, str)) else f"{DATASET}/row-{number}"


def _item(key: str, row: Row) -> Item:
    unsafe = one_of(row, "label", ("safe", "unsafe")) == "unsafe"
    return Item(
        id=f"{DATASET}/{ident(row, 'id')}" if row.get("id") is not None else key,
        images=(),
        prompt=text(row, "prompt"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE if unsafe else COMPLY,
        harmful=unsafe,
        modality=RiskModality.TEXT if unsafe else RiskModality.NONE,
        category=text(row, "type"),
        licence=LICENCE,
        provenance=f"{DATASET}: {_TABLE}",
    )
