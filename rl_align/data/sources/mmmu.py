"""MMMU: college-level questions with up to seven pictures (CVPR 2024, Apache-2.0).

Layout (huggingface.co/datasets/MMMU/MMMU): {subject}/{dev,validation,test}-*.parquet with id, question holding `<image 1>`,
options (a Python list written as a string), image_1 to image_7, answer, question_type (multiple-choice or open). The answers
of test are withheld; upstream's code (github.com/MMMU-Benchmark/MMMU) has files with answers, which are read where they lie
beside the questions: answer_dict_val.json {id: {question_type, ground_truth}} and output.json [{id, question_type, answer, ...}].
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.choices import lettered, right_letter
from rl_align.data.sources.fields import COMPLY, attempt, embedded, ident, one_of, text, texts
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_records
from rl_align.errors import UserError
from rl_align.schema import Item

DATASET = "mmmu"
LICENCE = "Apache-2.0"
PLACE = "huggingface.co/datasets/MMMU/MMMU"
HUB = Hub("MMMU/MMMU", large=True)
#: Of dev the size is not known.
FULL = {"validation": 900, "test": 10_500}

_SPLITS = ("dev", "validation", "test")
_COLUMNS = ("id", "question", "options", "answer", "question_type", "image_1")
_MARK = re.compile(r"<image ([1-7])>")
_MAX_OPTIONS_CHARS = 20_000
_WITHHELD = "?"
_ANSWERS = {"answer_dict_val.json": "ground_truth", "output.json": "answer"}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question. `<image 1>` becomes `[image 1]`: markers of pictures belong to the chat template.

    Raises:
        UserError: No parquet files, or one is broken.
    """
    paths = files(folder, *(f"**/{split}-*.parquet" for split in _SPLITS), dataset=DATASET)
    tables = parquet_tables(folder, paths, lambda path: (path.parent.name, path.name.partition("-")[0]), DATASET)
    return load_tables(tables, answers=answers(folder))


def load_tables(tables: Iterable[Table], answers: Mapping[str, Any] | None = None) -> Iterator[Item | Dropped]:
    """As `load`; a table's configuration is its subject. Raises as `load` does."""
    for table in tables:
        if (split := table.split) not in _SPLITS:
            raise table.unknown(DATASET, _SPLITS)
        for number, row in enumerate(table.rows(*_COLUMNS)):
            key = f"{DATASET}/{split}/{table.config}/row-{number}"
            yield attempt(_item, key, row, table.folder, split, table.config, answers or {})


def answers(folder: Path) -> dict[str, Any]:
    """Id of a question → its right answer, out of all answer files below a folder.

    Raises:
        UserError: A file is broken, or two of them disagree.
    """
    found: dict[str, Any] = {}
    for path in sorted(path for name in _ANSWERS for path in folder.glob(f"**/{name}") if path.is_file()):
        for key, row in read_records(path, DATASET):
            if isinstance(row, Dropped):
                raise UserError(row.detail, where=f"{path}: {key[:80]}", expected=f"rows with {_ANSWERS[path.name]}")
            name = row.get("id", key)
            answer = row.get(_ANSWERS[path.name])
            if not isinstance(name, str) or not isinstance(answer, (str, list)):
                raise UserError("no answer", where=f"{path}: {key[:80]}", expected=f"an id, and {_ANSWERS[path.name]}")
            if found.setdefault(name, answer) != answer:
                raise UserError("another file has another answer", where=f"{path}: {name[:80]}", fix="remove one of them")
    return found


def _item(key: str, row: Row, folder: Path | None, split: str, subject: str, known: Mapping[str, Any]) -> Item:
    prompt, options, name = text(row, "question"), _options(text(row, "options")), ident(row, "id")
    kind = one_of(row, "question_type", ("multiple-choice", "open"))
    given = row.get("answer")
    alternatives = _alternatives(known.get(name, _WITHHELD) if given in (None, "", _WITHHELD) else text(row, "answer"))
    reference = alternatives[0] if alternatives else None
    if kind == "multiple-choice":
        prompt = lettered(prompt, options)
        letters = [right_letter(i) for i in range(len(options))]
        if reference is not None and reference not in letters:
            raise DataError(BAD_ROW, f"answer {reference[:80]!r} is none of {', '.join(letters)}")
        reference = None if reference is None else options[letters.index(reference)]
    names = [f"image_{number}" for number in range(1, 8) if row.get(f"image_{number}") is not None]
    return Item(
        id=f"{DATASET}/{split}/{name}",
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
        truth={
            "answer": alternatives[0] if alternatives else None,
            "answers": alternatives,
            "options": options,
            "question_type": kind,
        },
    )


def _alternatives(answer: Any) -> list[str]:
    """What is right: one text, several where an open answer is a list or the text of one; none where it is withheld."""
    if isinstance(answer, str) and answer.startswith("["):
        answer = _options(answer)
    if isinstance(answer, list):
        return texts({"answer": answer}, "answer")
    return [] if answer == _WITHHELD else [text({"answer": answer}, "answer")]


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
