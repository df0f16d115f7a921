"""MMMU: college-level questions with up to seven pictures (CVPR 2024, Apache-2.0).

Layout (huggingface.co/datasets/MMMU/MMMU): {subject}/{dev,validation,test}-*.parquet with id, question holding `<image 1>`,
options (a Python list written as a string), image_1 to image_7, answer, question_type (multiple-choice or open). The answers
of test are withheld.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.choices import lettered, right_letter
from rl_align.data.sources.fields import COMPLY, attempt, embedded, ident, one_of, text, texts
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_parquet
from rl_align.schema import Item

DATASET = "mmmu"
LICENCE = "Apache-2.0"

_SPLITS = ("dev", "validation", "test")
_COLUMNS = ("id", "question", "options", "answer", "question_type", "image_1")
_MARK = re.compile(r"<image ([1-7])>")
_MAX_OPTIONS_CHARS = 20_000


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question. `<image 1>` becomes `[image 1]`: markers of pictures belong to the chat template.

    Raises:
        UserError: No parquet files, or one is broken.
    """
    for path in files(folder, *(f"**/{split}-*.parquet" for split in _SPLITS), dataset=DATASET):
        split = next(name for name in _SPLITS if path.name.startswith(name))
        for number, row in enumerate(read_parquet(path, _COLUMNS, DATASET)):
            key = f"{DATASET}/{split}/{path.parent.name}/{path.stem}/{number}"
            yield attempt(_item, key, row, folder, split, path.parent.name)


def _item(key: str, row: Row, folder: Path, split: str, subject: str) -> Item:
    prompt, answer, options = text(row, "question"), text(row, "answer"), _options(text(row, "options"))
    kind = one_of(row, "question_type", ("multiple-choice", "open"))
    withheld = answer == "?"
    reference = None if withheld else answer
    if kind == "multiple-choice":
        prompt = lettered(prompt, options)
        letters = [right_letter(i) for i in range(len(options))]
        if not withheld and answer not in letters:
            raise DataError(BAD_ROW, f"answer {answer[:80]!r} is none of {', '.join(letters)}")
        reference = None if withheld else options[letters.index(answer)]
    names = [f"image_{number}" for number in range(1, 8) if row.get(f"image_{number}") is not None]
    return Item(
        id=f"{DATASET}/{split}/{ident(row, 'id')}",
        images=tuple(embedded(row, name, folder) for name in names),
        prompt=_MARK.sub(r"[image \1]", prompt),
        dataset=DATASET,
        split=split,
        expected=COMPLY,
        harmful=False,
        reference=reference,
        category=subject,
        licence=LICENCE,
        provenance=f"{DATASET}: {subject}",
        truth={"answer": None if withheld else answer, "options": options, "question_type": kind},
    )


def _options(written: str) -> list[str]:
    """The list that a string spells. A literal is read, nothing is run."""
    if len(written) > _MAX_OPTIONS_CHARS:
        raise DataError(BAD_ROW, f"options have {len(written)} characters")
    try:
        options = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise DataError(BAD_ROW, "options are no list") from error
    if isinstance(options, list):
        options = [str(option) if isinstance(option, (int, float)) else option for option in options]
    return texts({"options": options}, "options")
