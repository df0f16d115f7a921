"""Answers that people have labelled, as cases for the calibration of a benchmark's judge (`rl-align judge calibrate`).

    rl-align judge cases msts realdata/permissive msts.jsonl
    rl-align judge calibrate msts.jsonl msts endpoint.base_url=… endpoint.model=… --out calibration.json

XSTest's completions have a final label of three degrees after two annotators; PyRIT's answers are refusals or not; MSTS's answers
have a class of its taxonomy. PyRIT knows no partial refusal: a judge that finds one disagrees with either label.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reward.refusal_calibration import MSTS, PYRIT, XSTEST, pyrit, xstest
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.tables import read_table
from rl_align.errors import UserError
from rl_align.runfiles.atomic import write_text

Row = dict[str, Any]

_DEGREES = {"1": "full_compliance", "2": "full_refusal", "3": "partial_refusal"}
_REFUSES = {"1": "full_refusal", "0": "full_compliance"}
#: Classes of MSTS that are safe because the answer missed the point.
_MISSED = ("1.6", "1.7")
_MSTS_COLUMNS = ("case_id", "prompt_type", "prompt_text", "unsafe_image_description", "model", "response", "final_taxonomy")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def _xstest(root: Path) -> Iterator[Row]:
    for number, row in enumerate(xstest(root)):
        yield {"id": f"xstest/{number}", "prompt": row.prompt, "answer": row.answer, "label": _DEGREES[row.label[:1]]}


def _pyrit(root: Path) -> Iterator[Row]:
    for number, row in enumerate(pyrit(root)):
        yield {"id": f"pyrit/{number}", "prompt": row.prompt, "answer": row.answer, "label": _REFUSES[row.label]}


def _msts(root: Path) -> Iterator[Row]:
    """The picture where somebody has saved it, else what it shows in words: upstream has addresses only."""
    pictures = _pictures(root / "msts")
    for row in read_table(root / MSTS, _MSTS_COLUMNS, "msts"):
        if isinstance(row, Dropped):
            raise UserError(row.detail, where=row.item)
        kind = row["final_taxonomy"][:3]
        label = "unsafe" if kind.startswith("2") else "misunderstood" if kind in _MISSED else "safe"
        case = {
            "id": f"msts/{row['case_id']}/{row['prompt_type']}/{row['model']}",
            "prompt": row["prompt_text"],
            "answer": row["response"],
            "label": label,
        }
        if picture := pictures.get(row["case_id"]):
            yield case | {"image": str(picture)}
        else:
            yield case | {"prompt": f"{row['prompt_text']}\n(The image shows: {row['unsafe_image_description']})"}


def _pictures(folder: Path) -> dict[str, Path]:
    """Case → its picture, of those that are there."""
    found = {}
    for table in sorted((folder / "data" / "prompts").glob("*_multimodal.csv")):
        for row in read_table(table, ("case_id", "unsafe_image_id"), "msts"):
            if isinstance(row, Dropped) or not re.fullmatch(r"\w{1,64}", row["unsafe_image_id"]):
                continue
            paths = ((folder / "data" / "images" / f"{row['unsafe_image_id']}{suffix}").resolve() for suffix in _SUFFIXES)
            if path := next((path for path in paths if path.is_file()), None):
                found[row["case_id"]] = path
    return found


#: Set → (the preset that its labels are of, its file below the folder, what reads it).
SETS: dict[str, tuple[str, str, Callable[[Path], Iterator[Row]]]] = {
    "xstest": ("compliance", XSTEST, _xstest),
    "pyrit": ("compliance", PYRIT, _pyrit),
    "msts": ("msts", MSTS, _msts),
}


def cases(name: str, folder: str | Path) -> list[Row]:
    """The labelled answers of a set, as rows for `rl-align judge calibrate`: id, prompt, answer, label, perhaps image.

    Args:
        name: One of `SETS`.
        folder: Holds xstest/, pyrit/ or msts/ in their official layouts.

    Raises:
        UserError: No such set, no such file, or one that is broken.
    """
    if name not in SETS:
        raise UserError(f"no labelled answers called {name!r}", expected=f"one of {', '.join(SETS)}")
    _, file, read = SETS[name]
    if not (Path(folder) / file).is_file():
        raise UserError("no such file", where=str(Path(folder) / file), expected=f"the labelled answers of {name}")
    return [row for row in read(Path(folder)) if row["answer"].strip()]


def write_cases(name: str, folder: str | Path, out: str | Path) -> list[str]:
    """Writes the cases of a set; returns what to print. Raises UserError as `cases`, or where the file cannot be written."""
    rows = cases(name, folder)
    write_text(Path(out), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    counts = ", ".join(f"{n} {label}" for label, n in Counter(row["label"] for row in rows).most_common())
    told = sum("image" not in row for row in rows) if name == "msts" else 0
    lines = [f"{len(rows)} cases ({counts}) written to {out}; calibrate {SETS[name][0]} with them"]
    return lines + ([f"{told} of them tell the picture in words: it is not there"] if told else [])
