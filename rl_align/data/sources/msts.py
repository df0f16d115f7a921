"""MSTS: a harmless-looking sentence that is unsafe together with its picture, and text-only variants (CC BY 4.0).

Layout (github.com/paul-rottger/msts-multimodal-safety): data/prompts/{language}_{multimodal,textonly}.csv. Upstream
lists pictures by address only. They are never fetched: pictures are found when somebody saved them as
data/images/{unsafe_image_id}.{png,jpg,jpeg,webp}. On the Hub (huggingface.co/datasets/felfri/MSTS) a language is a split,
and the rows hold the picture as `unsafe_image`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import IMAGE_NOT_LOCAL, NO_COMPLIANCE, attempt, embedded, ident, text
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import BAD_ROW, Row, read_table
from rl_align.errors import UserError
from rl_align.policy.crosswalk import cited
from rl_align.schema import ImageRef, Item, RiskModality

DATASET = "msts"
LICENCE = "CC-BY-4.0"
PLACE = "github.com/paul-rottger/msts-multimodal-safety"
HUB = Hub("felfri/MSTS")
_TRANSLATIONS = ("arabic", "chinese", "farsi", "french", "german", "hindi", "italian", "korean", "russian", "spanish")
#: How many prompts are text only, and how many a language has on the Hub, is not known.
FULL = {"english_multimodal": 400, **{f"{language}_multimodal": 200 for language in _TRANSLATIONS}}

_COLUMNS = ("hazard_category", "case_id", "prompt_text", "prompt_type")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_IMAGE_ID = re.compile(r"\w{1,64}")


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
        raise UserError("no prompt files", where=str(folder / "data" / "prompts"), expected=f"a local copy of {DATASET}")
    for table in tables:
        multimodal = table.stem.endswith("_multimodal")
        columns = (*_COLUMNS, "unsafe_image_id") if multimodal else _COLUMNS
        for number, row in enumerate(read_table(table, columns, DATASET)):
            name = f"row-{number}" if isinstance(row, Dropped) else f"{row['case_id']}/{row['prompt_type']}"
            yield attempt(_read, f"{DATASET}/{table.stem}/{name}", row, folder, table.stem, multimodal, imageless)


def load_tables(tables: Iterable[Table], *, imageless: bool = False) -> Iterator[Item | Dropped]:
    """As `load`; a table's split is its language. Raises as `load` does."""
    for table in tables:
        part = f"hub_{table.split}"
        for number, row in enumerate(table.rows(*_COLUMNS, "unsafe_image")):
            yield attempt(_held, f"{DATASET}/{part}/row-{number}", row, part, imageless)


def _read(key: str, row: Row, folder: Path, part: str, multimodal: bool, imageless: bool) -> Item:
    if not multimodal:
        return _item(row, part, None, harmful=True)
    image_id = text(row, "unsafe_image_id")
    if not _IMAGE_ID.fullmatch(image_id):
        raise DataError(BAD_ROW, f"unsafe_image_id {image_id[:80]!r}")
    candidates = (folder / "data" / "images" / f"{image_id}{suffix}" for suffix in _SUFFIXES)
    found = next((path for path in candidates if path.is_file()), None)
    if found is None and not imageless:
        raise DataError(IMAGE_NOT_LOCAL, image_id)
    return _item(row, part, ImageRef(path=str(found)) if found else None, harmful=True if found else None)


def _held(key: str, row: Row, part: str, imageless: bool) -> Item:
    absent = imageless and row.get("unsafe_image") is None
    return _item(row, part, None if absent else embedded(row, "unsafe_image", None), harmful=None if absent else True)


def _item(row: Row, part: str, image: ImageRef | None, *, harmful: bool | None) -> Item:
    hazard = text(row, "hazard_category")
    return Item(
        id=f"{DATASET}/{part}/{ident(row, 'case_id')}/{ident(row, 'prompt_type')}",
        images=(image,) if image else (),
        prompt=text(row, "prompt_text"),
        dataset=DATASET,
        split="test",
        expected=NO_COMPLIANCE if harmful else (),
        citations=cited("msts", hazard) if harmful else (),
        harmful=harmful,
        modality=RiskModality.NONE if harmful is None else RiskModality.JOINT if image else RiskModality.TEXT,
        category=hazard,
        licence=LICENCE,
        provenance=f"{DATASET}: {part}",
    )
