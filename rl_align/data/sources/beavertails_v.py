"""BeaverTails-V: harmful questions about pictures in 20 categories, with judged answers (arXiv 2503.17682, CC BY-NC 4.0).

Two layouts under one name, data/{category}/{train,evaluation}.parquet each; on the Hub a category is a configuration:
* huggingface.co/datasets/saferlhf-v/BeaverTails-V: two answers, `is_response_{1,2}_safe` ("yes"/"no") and
  `safer_response_id`, `more_helpful_response_id` ("1"/"2"), all of them strings.
* huggingface.co/datasets/PKU-Alignment/BeaverTails-V: one `response` and `is_response_safe` ("yes"/"no").
Of two answers the safer one can become the reference, never the more helpful one; Safe RLHF-V's cost model calls the less
safe answer "better".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, embedded, flag, one_of, text
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import Row, files
from rl_align.policy.crosswalk import cited, taxonomies
from rl_align.schema import Item, RiskModality

DATASET = "beavertails_v"
LICENCE = "CC-BY-NC-4.0"
PLACE = "huggingface.co/datasets/saferlhf-v/BeaverTails-V"
HUB = Hub("saferlhf-v/BeaverTails-V", large=True, also=("PKU-Alignment/BeaverTails-V", "Foreshhh/BeaverTails-V"))
#: Other categories' sizes are not known.
FULL = {
    "two_answers/train/animal_abuse": 1578,
    "two_answers/evaluation/animal_abuse": 30,
    "one_answer/train/psychological_horror_and_dark_themes": 5536,
    "one_answer/train/dangerous_behavior": 5242,
    "one_answer/evaluation": 1180,
}

#: Name of a split → what it is called here. `datasets` calls a file named evaluation "test" where nothing else is said.
_SPLITS = {"train": "train", "evaluation": "evaluation", "test": "evaluation"}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a row, in whichever layout a row is: `reference` is a safe answer, `rejected` an unsafe one.

    Raises:
        UserError: No parquet files, or one is broken.
    """
    paths = files(folder, *(f"**/{split}*.parquet" for split in _SPLITS), dataset=DATASET)

    def part(path: Path) -> tuple[str, str]:
        return path.parent.name, next(name for name in _SPLITS if path.name.startswith(name))

    return load_tables(parquet_tables(folder, paths, part, DATASET))


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`; a table's configuration is its category. Raises as `load` does."""
    for table in tables:
        if table.split not in _SPLITS:
            raise table.unknown(DATASET, _SPLITS)
        split = _SPLITS[table.split]
        columns, rows = table.open("question", "image", "category")
        layout = "two_answers" if "response_1" in columns else "one_answer"
        for number, row in enumerate(rows):
            yield attempt(_item, f"{DATASET}/{layout}/{split}/{table.config}/{number}", row, table.folder, split)


def _item(key: str, row: Row, folder: Path | None, split: str) -> Item:
    reference, rejected = _pair(row) if "response_1" in row else _single(row)
    category = one_of(row, "category", taxonomies()["beavertails_v"])
    return Item(
        id=key,
        images=(embedded(row, "image", folder),),
        prompt=text(row, "question"),
        dataset=DATASET,
        split=split,
        expected=NO_COMPLIANCE,
        citations=cited("beavertails_v", category),
        harmful=True,
        modality=RiskModality.JOINT,
        reference=reference,
        rejected=rejected,
        category=category,
        licence=LICENCE,
        provenance=f"{DATASET}: {category}, {'two answers' if 'response_1' in row else 'one answer'}",
    )


def _pair(row: Row) -> tuple[str | None, str | None]:
    safer = one_of(row, "safer_response_id", ("1", "2"))
    other = "2" if safer == "1" else "1"
    reference = text(row, f"response_{safer}") if flag(row, f"is_response_{safer}_safe") else None
    rejected = None if flag(row, f"is_response_{other}_safe") else text(row, f"response_{other}")
    return reference, rejected


def _single(row: Row) -> tuple[str | None, str | None]:
    answer = text(row, "response")
    return (answer, None) if flag(row, "is_response_safe") else (None, answer)
