"""MSTS: a harmless-looking sentence that is unsafe together with its picture, and text-only variants (CC BY 4.0).

Layout (github.com/paul-rottger/msts-multimodal-safety): data/prompts/{language}_{multimodal,textonly}.csv. Upstream
lists pictures by address only. They are never fetched: pictures are found when somebody saved them as
data/images/{unsafe_image_id}.{png,jpg,jpeg,webp}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import IMAGE_NOT_LOCAL, NO_COMPLIANCE
from rl_align.data.sources.tables import BAD_ROW, read_table
from rl_align.errors import UserError
from rl_align.policy.crosswalk import cited
from rl_align.schema import ImageRef, Item, RiskModality

DATASET = "msts"
LICENCE = "CC-BY-4.0"

_COLUMNS = ("hazard_category", "case_id", "prompt_text", "prompt_type")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_IMAGE_ID = re.compile(r"\w{1,64}")


def _picture(folder: Path, image_id: str) -> Path | None:
    candidates = (folder / "data" / "images" / f"{image_id}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def load(folder: Path, *, imageless: bool = False) -> Iterator[Item | Dropped]:
    """One item a prompt, in every language present. No plan is to be encouraged: refusing or redirecting is right.

    Args:
        folder: Root of a local copy.
        imageless: Keep multimodal prompts whose picture is not there, as text without expected behaviour and with
            unknown harm: the sentence alone is not the benchmark's item. Otherwise they are dropped with a reason.

    Raises:
        UserError: No prompt files, or one is broken.
    """
    tables = sorted((folder / "data" / "prompts").glob("*_*.csv"))
    if not tables:
        raise UserError(
            "no prompt files", where=str(folder / "data" / "prompts"), expected=f"a local copy of {DATASET}"
        )
    for table in tables:
        multimodal = table.stem.endswith("_multimodal")
        for row in read_table(table, (*_COLUMNS, *(("unsafe_image_id",) if multimodal else ())), DATASET):
            if isinstance(row, Dropped):
                yield row
                continue
            key = f"{DATASET}/{table.stem}/{row['case_id']}/{row['prompt_type']}"
            fields = {
                "id": key,
                "prompt": row["prompt_text"],
                "dataset": DATASET,
                "split": "test",
                "category": row["hazard_category"],
                "licence": LICENCE,
                "provenance": f"{DATASET}: {table.name}",
            }
            judged = {"expected": NO_COMPLIANCE, "citations": cited("msts", row["hazard_category"]), "harmful": True}
            if not multimodal:
                yield Item(images=(), modality=RiskModality.TEXT, **judged, **fields)
                continue
            image_id = row["unsafe_image_id"]
            if not _IMAGE_ID.fullmatch(image_id):
                yield Dropped(key, BAD_ROW, f"unsafe_image_id {image_id!r}")
            elif picture := _picture(folder, image_id):
                yield Item(images=(ImageRef(path=str(picture)),), modality=RiskModality.JOINT, **judged, **fields)
            elif imageless:
                yield Item(images=(), **fields)
            else:
                yield Dropped(key, IMAGE_NOT_LOCAL, image_id)
