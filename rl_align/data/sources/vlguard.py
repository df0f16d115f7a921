"""VLGuard: safe and unsafe pictures with instructions and answers (ICML 2024; no licence file, access on request).

Layout (github.com/ys-zong/VLGuard, huggingface.co/datasets/ys-zong/VLGuard): {train,test}.json, lists of {id, image, safe,
instr-resp, harmful_category, harmful_subcategory}, and pictures in {train,test}/ or {train,test}.zip. A safe picture has a
safe_instruction and an unsafe_instruction, an unsafe one an instruction. An id occurs twice in train; 17 answers in test are
empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, flag, ident, optional, picture, text
from rl_align.data.sources.tables import BAD_ROW, Row, files, numbered, read_records
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "vlguard"
LICENCE = "none given"
PLACE = "github.com/ys-zong/VLGuard"
HUB = Hub("ys-zong/VLGuard", files=("*.json", "*.zip"))
#: Instructions: a safe picture has two of them, an unsafe one has one.
FULL = {"train": 2 * 977 + 1023, "test": 2 * 558 + 442}

#: Key of the instruction → upstream's subset for a safe picture; `unsafes` are the unsafe pictures.
_SUBSETS = {"safe_instruction": "safe_safes", "unsafe_instruction": "safe_unsafes"}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item an instruction; those of one safe picture are twins.

    Raises:
        UserError: Neither file is there, or one is broken.
    """
    for path in files(folder, "train*.json", "test*.json", dataset=DATASET):
        split = "train" if path.name.startswith("train") else "test"
        for number, row in read_records(path, DATASET):
            # The position is part of the id because upstream's ids repeat.
            key = f"{DATASET}/{split}/{number}"
            if isinstance(row, Dropped):
                yield attempt(_item, key, row)
                continue
            for place, turn in numbered(row.get("instr-resp"), f"{key}/instr-resp"):
                yield attempt(_item, f"{key}/{place}", turn, row, folder, split, key)
            if row.get("instr-resp") in ([], {}):
                yield Dropped(key, BAD_ROW, "no instructions")


def _item(key: str, turn: Row, row: Row, folder: Path, split: str, stem: str) -> Item:
    safe = flag(row, "safe")
    name = next((name for name in (*_SUBSETS, "instruction") if name in turn), None)
    if name is None or safe != (name in _SUBSETS):
        raise DataError(BAD_ROW, f"{name or 'no instruction'} of a{' safe' if safe else 'n unsafe'} picture")
    subset = _SUBSETS.get(name, "unsafes")
    harmful = subset != "safe_safes"
    turns = row["instr-resp"]
    known = [name for other in turns if isinstance(other, dict) for name in _SUBSETS if name in other]
    paired = isinstance(turns, list) and len(turns) == 2 and sorted(known) == sorted(_SUBSETS)
    subcategory = optional(row, "harmful_subcategory")
    modality = {"safe_safes": RiskModality.NONE, "safe_unsafes": RiskModality.TEXT, "unsafes": RiskModality.IMAGE}[subset]
    return Item(
        id=key,
        images=(picture(folder, text(row, "image"), (split, ".")),),
        prompt=text(turn, name),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE if harmful else COMPLY,
        citations=cited("vlguard", subcategory) if harmful else (),
        harmful=harmful,
        modality=modality,
        reference=optional(turn, "response"),
        twin=f"{stem}/{1 - turns.index(turn)}" if paired else None,
        category=f"{subset}/{optional(row, 'harmful_category')}/{subcategory}" if subset == "unsafes" else subset,
        licence=LICENCE,
        provenance=f"{DATASET}: {split}.json {ident(row, 'id')}",
    )
