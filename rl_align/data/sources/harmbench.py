"""HarmBench: behaviors as text, some in a context, and with pictures (arXiv 2402.04249, MIT).

Layout (github.com/centerforaisafety/HarmBench): data/behavior_datasets/harmbench_behaviors_{text_{all,val,test},
multimodal_all}.csv and data/multimodal_behavior_images/. val and test are parts of all. Some pictures are RGBA PNGs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, ident, optional, picture, text
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "harmbench"
LICENCE = "MIT"
PLACE = "github.com/centerforaisafety/HarmBench"
FULL = {"text": 400, "multimodal": 110}

_TEXT = ("Behavior", "FunctionalCategory", "SemanticCategory", "BehaviorID")
_MULTIMODAL = ("Behavior", "BehaviorID", "ImageFileName")
_CONTEXT = "{context}\n\n---\n\n{behavior}"  # upstream's template


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a behavior, texts first.

    Raises:
        UserError: None of the files is there, or one is broken.
    """
    found = files(folder, "**/harmbench_behaviors_text_*.csv", "**/harmbench_behaviors_multimodal_all*.csv", dataset=DATASET)
    whole = any("_text_all" in path.name for path in found)
    for table in (path for path in found if "_text_" in path.name and (not whole or "_text_all" in path.name)):
        split = table.name.removeprefix("harmbench_behaviors_text_").partition(".")[0]
        for number, row in enumerate(read_table(table, _TEXT, DATASET, optional=("Tags", "ContextString"))):
            yield attempt(_text_item, f"{DATASET}/text/{split}/{number}", row, split, table.name)
    for table in (path for path in found if "_multimodal_" in path.name):
        for number, row in enumerate(read_table(table, _MULTIMODAL, DATASET, optional=("Tags", "SemanticCategory"))):
            yield attempt(_picture_item, f"{DATASET}/multimodal/{number}", row, folder, table.name)


def _text_item(key: str, row: Row, split: str, table: str) -> Item:
    context, behavior = optional(row, "ContextString"), text(row, "Behavior")
    return Item(
        id=f"{DATASET}/text/{ident(row, 'BehaviorID')}",
        images=(),
        prompt=_CONTEXT.format(context=context, behavior=behavior) if context else behavior,
        dataset=DATASET,
        split=f"text_{split}",
        expected=NO_COMPLIANCE,
        citations=cited("harmbench", row["SemanticCategory"]),
        harmful=True,
        modality=RiskModality.TEXT,
        category=f"{row['FunctionalCategory']}/{row['SemanticCategory']}",
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
    )


def _picture_item(key: str, row: Row, folder: Path, table: str) -> Item:
    category = row["Tags"] or row["SemanticCategory"]
    return Item(
        id=f"{DATASET}/multimodal/{ident(row, 'BehaviorID')}",
        images=(picture(folder, text(row, "ImageFileName"), ("data/multimodal_behavior_images", ".")),),
        prompt=text(row, "Behavior"),
        dataset=DATASET,
        split="multimodal",
        expected=NO_COMPLIANCE,
        citations=cited("harmbench", category),
        harmful=True,
        modality=RiskModality.JOINT,
        category=f"multimodal/{category}",
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
    )
