"""WildJailbreak: vanilla and adversarial prompts, harmful and benign, with safe answers (arXiv 2406.18510, ODC-BY).

Layout (huggingface.co/datasets/allenai/wildjailbreak): train/train.tsv with vanilla, adversarial, completion, data_type;
eval/eval.tsv with adversarial, label, data_type. Tabs separate cells; a prompt may be the word "NaN" or "null".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, one_of, optional, text
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.schema import Item, RiskModality

DATASET = "wildjailbreak"
LICENCE = "ODC-BY"
PLACE = "huggingface.co/datasets/allenai/wildjailbreak"
HUB = Hub("allenai/wildjailbreak", large=True)
FULL = {"train": 261_559, "eval": 2210}

_CELLS = {"train": ("vanilla", "adversarial", "completion"), "eval": ("adversarial", "label")}
_TYPES = ("vanilla_harmful", "vanilla_benign", "adversarial_harmful", "adversarial_benign")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row: the adversarial prompt of adversarial rows, the vanilla one of vanilla rows.

    Raises:
        UserError: Neither file is there, or one is broken.
    """
    for table in files(folder, "**/train*.tsv", "**/eval*.tsv", dataset=DATASET):
        split = "train" if table.name.startswith("train") else "eval"
        rows = read_table(table, ("data_type",), DATASET, optional=_CELLS[split], delimiter="\t")
        for number, row in enumerate(rows):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, split)


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`; the configurations are train and eval. Raises as `load` does."""
    for table in tables:
        if (split := table.config) not in FULL:
            raise table.unknown(DATASET, FULL)
        for number, row in enumerate(table.rows("data_type", *_CELLS[split])):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, split)


def _item(key: str, row: Row, split: str) -> Item:
    kind = one_of(row, "data_type", _TYPES)
    style, _, nature = kind.partition("_")
    harmful = nature == "harmful"
    return Item(
        id=key,
        images=(),
        prompt=text(row, style),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE if harmful else COMPLY,
        harmful=harmful,
        modality=RiskModality.TEXT if harmful else RiskModality.NONE,
        reference=optional(row, "completion"),
        category=kind,
        licence=LICENCE,
        provenance=f"{DATASET}: {split}",
    )
