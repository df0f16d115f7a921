"""HoliSafe-Bench: every combination of safe and unsafe picture and question (arXiv 2506.04704; access on request).

Layout (huggingface.co/datasets/etri-vilab/holisafe-bench): holisafe_bench.json, a list of {id, image, query, category,
subcategory, type, image_safe, image_safety_label}, and pictures in images/. A type reads [picture][query][together].
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, ident, one_of, optional, picture, text
from rl_align.data.sources.tables import Row, files, read_records
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "holisafe"
LICENCE = "terms of access"

#: Type → where the risk comes from.
TYPES = {
    "SSS": RiskModality.NONE,
    "SSU": RiskModality.JOINT,
    "USU": RiskModality.IMAGE,
    "SUU": RiskModality.TEXT,
    "UUU": RiskModality.JOINT,
}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row. SSS is to be answered, all else not.

    Raises:
        UserError: The file is missing or broken.
    """
    for path in files(folder, "**/holisafe_bench*.json", dataset=DATASET):
        for number, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{number}", row, folder)


def _item(key: str, row: Row, folder: Path) -> Item:
    kind = one_of(row, "type", TYPES)
    harmful = kind != "SSS"
    subcategory = optional(row, "subcategory")
    return Item(
        id=f"{DATASET}/{ident(row, 'id')}",
        images=(picture(folder, text(row, "image"), ("images", ".")),),
        prompt=text(row, "query"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE if harmful else COMPLY,
        citations=cited("holisafe", subcategory) if harmful else (),
        harmful=harmful,
        modality=TYPES[kind],
        category=f"{kind}/{text(row, 'category')}/{subcategory}",
        licence=LICENCE,
        provenance=f"{DATASET}: holisafe_bench.json",
    )
