"""ScienceQA: school questions, about half of them with a picture (NeurIPS 2022, data CC BY-NC-SA 4.0).

Layout (github.com/lupantech/ScienceQA): problems.json {pid: {question, choices, answer (a position), hint, image "image.png"
or null, subject, topic, split, solution, ...}} and pictures {split}/{pid}/image.png. pid_splits.json repeats the splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.choices import lettered, right_letter
from rl_align.data.sources.fields import COMPLY, attempt, one_of, optional, picture, text, texts
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_records
from rl_align.schema import Item

DATASET = "scienceqa"
LICENCE = "CC-BY-NC-SA-4.0"
PLACE = "github.com/lupantech/ScienceQA"
FULL = {"train": 12_726, "val": 4241, "test": 4241}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a problem; a null picture means a question of words alone.

    Raises:
        UserError: The file is missing or broken.
    """
    for path in files(folder, "**/problems*.json", dataset=DATASET):
        for pid, row in read_records(path, DATASET):
            split = None if isinstance(row, Dropped) else row.get("split")
            part = split if isinstance(split, str) and split in FULL else "unknown"
            yield attempt(_item, f"{DATASET}/{part}/{pid}", row, folder, pid)


def _item(key: str, row: Row, folder: Path, pid: str) -> Item:
    split = one_of(row, "split", FULL)
    options = texts(row, "choices")
    answer = row.get("answer")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(options):
        raise DataError(BAD_ROW, f"answer {str(answer)[:80]!r} is no position in the choices")
    hint, name = optional(row, "hint"), optional(row, "image")
    question = text(row, "question")
    return Item(
        id=f"{DATASET}/{split}/{pid}",
        images=(picture(folder, f"{split}/{pid}/{name}", (".", "images", "data/scienceqa/images")),) if name else (),
        prompt=lettered(f"{hint}\n{question}" if hint else question, options),
        dataset=DATASET,
        split=split,
        expected=COMPLY,
        harmful=False,
        reference=options[answer],
        category=f"{text(row, 'subject')}/{text(row, 'topic')}",
        licence=LICENCE,
        provenance=f"{DATASET}: problems.json",
        truth={"answer": right_letter(answer), "options": options},
    )
