"""MathVista testmini: mathematical questions about pictures (ICLR 2024, CC BY-SA 4.0).

Layout (github.com/lupantech/MathVista): data/testmini.json {pid: {question, image "images/1.jpg", choices list or null, unit,
precision, answer, question_type, answer_type, metadata, ...}}; pictures are in a zip of their own. On the Hub
(huggingface.co/datasets/AI4Math/MathVista) the rows hold them as `decoded_image`; the answers of its split test are withheld.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.choices import lettered, right_letter
from rl_align.data.sources.fields import COMPLY, attempt, embedded, ident, one_of, optional, picture, text, texts
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_records
from rl_align.schema import Item

DATASET = "mathvista"
LICENCE = "CC-BY-SA-4.0"
PLACE = "github.com/lupantech/MathVista"
HUB = Hub("AI4Math/MathVista", splits=("testmini",))
FULL = {"": 1000}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question.

    Raises:
        UserError: The file is missing or broken.
    """
    for path in files(folder, "**/testmini*.json", dataset=DATASET):
        for pid, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{pid}", row, folder)


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`, from rows that hold their picture and their pid. Raises as `load` does."""
    for table in tables:
        for number, row in enumerate(table.rows("pid", "question", "decoded_image", "answer", "question_type", "answer_type")):
            yield attempt(_row, f"{DATASET}/row/{number}", row)


def _row(key: str, row: Row) -> Item:
    return _item(f"{DATASET}/{ident(row, 'pid')}", row, None)


def _item(key: str, row: Row, folder: Path | None) -> Item:
    answer, prompt = text(row, "answer"), text(row, "question")
    truth = {"answer": answer, "answer_type": text(row, "answer_type"), "precision": row.get("precision")}
    if one_of(row, "question_type", ("multi_choice", "free_form")) == "multi_choice":
        options = texts(row, "choices")
        if answer not in options:
            raise DataError(BAD_ROW, "the answer is none of the choices")
        prompt = lettered(prompt, options)
        truth |= {"letter": right_letter(options.index(answer)), "options": options}
    elif unit := optional(row, "unit"):
        prompt = f"{prompt} (Unit: {unit})"
    return Item(
        id=key,
        images=(embedded(row, "decoded_image", None) if folder is None else picture(folder, text(row, "image"), (".", "data")),),
        prompt=prompt,
        dataset=DATASET,
        split="testmini",
        expected=COMPLY,
        harmful=False,
        reference=answer,
        category=text(row, "question_type"),
        licence=LICENCE,
        provenance=f"{DATASET}: testmini.json",
        truth=truth,
    )
