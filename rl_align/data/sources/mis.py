"""MIS: two pictures and a question that are unsafe together (arXiv 2501.18533, Apache-2.0); the test part.

Layout (huggingface.co/datasets/Tuwhy/MIS_Test): mis_{easy,hard,real}.json, lists of {id, question, category, sub_category,
image_path1, image_path2}, paths like easy_image/1/object1.png beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, ident, picture, text
from rl_align.data.sources.tables import Row, files, read_records
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "mis"
LICENCE = "Apache-2.0"
PLACE = "github.com/DripNowhy/MIS"
HUB = Hub("Tuwhy/MIS_Test", files=("*.json", "*.zip", "*_image/*"))
FULL = {"easy": 1675, "hard": 510, "real": 100}

_SPLITS = ("easy", "hard", "real")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row, its two pictures in order; split easy, hard or real.

    Raises:
        UserError: None of the files is there, or one is broken.
    """
    for path in files(folder, *(f"mis_{split}*.json" for split in _SPLITS), dataset=DATASET):
        split = next(name for name in _SPLITS if path.name.startswith(f"mis_{name}"))
        for number, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, folder, split)


def _item(key: str, row: Row, folder: Path, split: str) -> Item:
    category = text(row, "category")
    return Item(
        id=f"{DATASET}/{split}/{ident(row, 'id')}",
        images=tuple(picture(folder, text(row, name)) for name in ("image_path1", "image_path2")),
        prompt=text(row, "question"),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE,
        citations=cited("mis", category),
        harmful=True,
        modality=RiskModality.JOINT,
        category=f"{category}/{text(row, 'sub_category')}",
        licence=LICENCE,
        provenance=f"{DATASET}: mis_{split}.json",
    )
