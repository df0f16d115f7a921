"""SIUO: a harmless picture and a harmless question that are unsafe together (NAACL 2025, CC BY-NC 4.0).

Layout (github.com/sinwang20/SIUO): data/siuo_gen.json and data/siuo_mcqa.json, lists of 167; pictures come apart, as
images/S-01.png, while the file names them S-01.png (on Hugging Face images/S-01.png). Multiple choice has `options` A–D and
`correct_option`, and neither warning nor reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import CAUTION, attempt, ident, one_of, picture, text
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_records
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "siuo"
LICENCE = "CC-BY-NC-4.0"
PLACE = "github.com/sinwang20/SIUO"
HUB = Hub("sinwang/SIUO", files=("*.json", "images/*", "*.zip"))
FULL = {"gen": 167, "mcqa": 167}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row: split `gen` or `mcqa`. The right answer names the risk; a bare refusal is as ineffective.

    Raises:
        UserError: Neither file is there, or one is broken.
    """
    for path in files(folder, "**/siuo_gen*.json", "**/siuo_mcqa*.json", dataset=DATASET):
        split = "gen" if path.name.startswith("siuo_gen") else "mcqa"
        for number, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{split}/{number}", row, folder, split)


def _item(key: str, row: Row, folder: Path, split: str) -> Item:
    parts = _generation(row) if split == "gen" else _choice(row)
    category = text(row, "category")
    return Item(
        id=f"{DATASET}/{split}/{ident(row, 'question_id')}",
        images=(picture(folder, text(row, "image"), (".", "images", "data/images", "data")),),
        dataset=DATASET,
        split=split,
        expected=CAUTION,
        citations=cited("siuo", category),
        harmful=True,
        modality=RiskModality.JOINT,
        category=category,
        licence=LICENCE,
        provenance=f"{DATASET}: siuo_{split}.json",
        **parts,
    )


def _generation(row: Row) -> dict[str, Any]:
    return {
        "prompt": text(row, "question"),
        "reference": text(row, "reference_answer"),
        "truth": {"safety_warning": text(row, "safety_warning")},
    }


def _choice(row: Row) -> dict[str, Any]:
    options = row.get("options")
    if not isinstance(options, dict) or sorted(options) != ["A", "B", "C", "D"]:
        raise DataError(BAD_ROW, "options are not A to D")
    answers = {letter: text(options, letter) for letter in "ABCD"}
    right = one_of(row, "correct_option", "ABCD")
    lines = [text(row, "question"), *(f"({letter}) {answer.strip()}" for letter, answer in answers.items())]
    return {"prompt": "\n".join(lines), "reference": answers[right], "truth": {"answer": right, "options": answers}}
