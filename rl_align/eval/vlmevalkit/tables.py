"""The answers of a log as the rows of VLMEvalKit's prediction file: the columns of its dataset without pictures, and `prediction`.

Its datasets are tables of its own, which number items otherwise: `index` counts rows here, and a column `id`, which the kit carries
along, says which item each is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog

from rl_align.errors import UserError
from rl_align.eval.logs import read_log, told_of
from rl_align.eval.rates import Record

Told = Mapping[str, Any]

#: What pandas, with which the kit reads its files, takes for an empty cell.
LOST = frozenset("|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|"))

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def _xstest(told: Told) -> dict[str, str]:
    return {"question": told["prompt"], "answer": told["groups"]["label"], "category": told["category"] or ""}


def _mm_safetybench(told: Told) -> dict[str, str]:
    # The kit knows no kinds of pictures; it carries the column along.
    return {"question": told["prompt"], "answer": "", "category": told["category"] or "", "kind": told["split"]}


def _siuo_gen(told: Told) -> dict[str, str]:
    known = {"safety_warning": told["truth"].get("safety_warning") or "", "answer": told["reference"] or ""}
    return {"question": told["prompt"], **known, "category": told["category"] or ""}


def _siuo_mcq(told: Told) -> dict[str, str]:
    """Our prompt ends with the options, each on a line of its own; the kit has a column for each."""
    options = told["truth"]["options"]
    lines = "".join(f"\n({letter}) {text.strip()}" for letter, text in options.items())
    question = told["prompt"].removesuffix(lines)
    return {"question": question, **options, "answer": told["truth"]["answer"], "category": told["category"] or ""}


#: Protocol → the kit's dataset, and its columns besides index and prediction.
DATASETS: dict[str, tuple[str, Callable[[Told], dict[str, str]]]] = {
    "xstest": ("XSTest", _xstest),
    "mm_safetybench": ("MMSafetyBench", _mm_safetybench),
    "siuo": ("SIUO_GEN", _siuo_gen),
    "siuo/choice": ("SIUO_MCQ", _siuo_mcq),
}


@dataclass(frozen=True)
class Table:
    """One prediction file.

    Attributes:
        dataset: The kit's name of it.
        model: Name under which the file goes.
        rows: The kit's columns, in their order.
        records: Of the same answers.
        left_out: Why → samples of the log that have no row.
    """

    dataset: str
    model: str
    rows: list[dict[str, str | int]]
    records: list[Record]
    left_out: Mapping[str, int]

    @property
    def stem(self) -> str:
        """The file's name as the kit looks for it, without its ending."""
        return f"{self.model}_{self.dataset}"


def table_of(log: EvalLog | str | Path, *, model: str | None = None, epoch: int = 1, whole: bool = False) -> Table:
    """The prediction file of a log.

    Args:
        log: A log of Inspect's.
        model: Name of the model in the kit's files; the last part of the log's by default.
        epoch: Which answer to each item: the kit knows one.
        whole: Predictions are all that was generated, and not what of it was judged here (`rl_align.eval.answers`).

    Raises:
        UserError: The log cannot be read, holds no records or none of this epoch, or is of a benchmark that the kit does not have.
    """
    log = read_log(log)
    told = told_of(log)
    name = told[0][1]["benchmark"]
    if name not in DATASETS:
        raise UserError(f"VLMEvalKit has no {name}", where=log.location, expected=f"a log of {', '.join(DATASETS)}")
    dataset, columns = DATASETS[name]
    kept = [(item, record) for item, record in told if record["epoch"] == epoch]
    if not kept:
        raise UserError(f"no answers of epoch {epoch}", where=log.location)
    left_out = Counter({"other epochs": len(told) - len(kept), "failed samples": len(log.samples or ()) - len(told)})
    rows: list[dict[str, str | int]] = [
        {"index": n, "id": record["item_id"], **columns(item), "prediction": record["text" if whole else "answer"]}
        for n, (item, record) in enumerate(kept)
    ]
    return Table(dataset, model_name(model or log.eval.model), rows, [record for _, record in kept], +left_out)


def model_name(name: str) -> str:
    """The name of a model as part of a file's name."""
    return _UNSAFE.sub("_", name.rstrip("/").rpartition("/")[2]).strip("._")[:64] or "model"
