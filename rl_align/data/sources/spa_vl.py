"""SPA-VL: questions about pictures with a chosen and a rejected answer (CVPR 2025, CC BY 4.0).

Layout (huggingface.co/datasets/sqrti/SPA-VL): data/train-*.parquet (image, question, chosen, rejected, image_name),
validation/validation-*.parquet (class1 to class3 instead of image_name), test/{harm,help}-*.parquet (no answers). The code
for DPO (github.com/EchoseChen/SPA-VL-RLHF) reads a local JSON list of id, image, question, chosen, rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, embedded, optional, picture, text
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import Row, files, read_records
from rl_align.schema import Item, RiskModality

DATASET = "spa_vl"
LICENCE = "CC-BY-4.0"
PLACE = "huggingface.co/datasets/sqrti/SPA-VL"
HUB = Hub("sqrti/SPA-VL", large=True)
FULL = {"train": 93_258, "validation": 7000, "harm": 265, "help": 265}

_SPLITS = ("train", "validation", "harm", "help")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row; splits train, validation, harm, help, dpo.

    Questions of all grades of harm stand side by side unmarked, so expected behaviour and harm are known of `harm` alone.

    Raises:
        UserError: None of the files is there, or one is broken.
    """
    patterns = ("data/train-*.parquet", "validation/validation-*.parquet", "test/harm-*.parquet", "test/help-*.parquet")
    found = files(folder, *patterns, "*.json", dataset=DATASET)
    parquet = [path for path in found if path.suffix == ".parquet"]
    yield from load_tables(parquet_tables(folder, parquet, lambda path: (path.parent.name, path.name.partition("-")[0]), DATASET))
    for path in found:
        if path.suffix == ".json":
            for number, row in read_records(path, DATASET):
                yield attempt(_item, f"{DATASET}/dpo/{path.stem}/{number}", row, folder, "dpo")


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`, without `dpo`. Raises as `load` does."""
    for table in tables:
        split = table.split
        if split not in _SPLITS:
            raise table.unknown(DATASET, _SPLITS)
        answers = ("chosen", "rejected") if split in ("train", "validation") else ("class1", "class2", "class3")
        for number, row in enumerate(table.rows("image", "question", *answers)):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, table.folder, split)


def _item(key: str, row: Row, folder: Path | None, split: str) -> Item:
    answered, harm = split not in ("harm", "help"), split == "harm"
    names = [optional(row, f"class{level}") for level in (1, 2, 3)]
    named = folder is not None and split == "dpo"
    image = picture(folder, text(row, "image"), (".", "images")) if named else embedded(row, "image", folder)
    return Item(
        id=key,
        images=(image,),
        prompt=text(row, "question"),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE if harm else (),
        harmful=True if harm else None,
        modality=RiskModality.JOINT if harm else RiskModality.NONE,
        reference=text(row, "chosen") if answered else None,
        rejected=text(row, "rejected") if answered else None,
        category="/".join(name for name in names if name) or None,
        licence=LICENCE,
        provenance=f"{DATASET}: {split}",
    )
