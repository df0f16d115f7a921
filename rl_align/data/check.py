"""Whether a dataset is what it claims to be: every row read, every picture decoded, every hash compared."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tqdm import tqdm

from rl_align.data.census import told
from rl_align.data.dataset import Dataset, open_dataset
from rl_align.data.images import decode_image
from rl_align.data.items import scan_items
from rl_align.data.quarantine import DataError, Dropped, Quarantine
from rl_align.data.seen import Seen
from rl_align.data.tally import Tally
from rl_align.data.untrusted import shown
from rl_align.data.validate import DUPLICATE_ID, text_problem
from rl_align.errors import UserError
from rl_align.schema import Item

UNREADABLE, MISCOUNTED = "file_unreadable", "not_as_in_manifest"
_SHOWN = 20


def check(path: str | Path, problems: str | Path | None = None, *, pictures: bool = True, progress: bool = True) -> list[str]:
    """Reads a dataset from end to end, in memory that does not grow with it.

    Args:
        path: Its folder, or one item file.
        problems: Where all problems go, as JSON lines {item, reason, detail}; None for nowhere.
        pictures: Whether to decode them.
        progress: Whether to show a progress bar where stderr is a terminal.

    Returns:
        What was read, as lines for the console.

    Raises:
        UserError: There are problems (the first ones and their numbers are in the message), or there is no dataset.
    """
    dataset = open_dataset(path, hashes=True)
    found, tally = Quarantine(), Tally()
    _read(dataset, pictures, found, tally, progress)
    if problems is not None:
        found.save(problems)
    if len(found):
        first = [f"  {shown(r.item, 100)}: {r.reason} {shown(r.detail, 150)}".rstrip() for r in islice(found.records, _SHOWN)]
        numbers = ", ".join(f"{count} {reason}" for reason, count in found.counts.items())
        print("\n".join(first + ["  …"] * (len(found) > _SHOWN)))
        fix = f"all of them are in {problems}" if problems else "`--problems FILE` writes all of them"
        raise UserError(f"{len(found)} problems in {tally.rows.total()} good rows and others: {numbers}", where=str(path), fix=fix)
    splits = ", ".join(f"{shown(split, 80)} {count}" for split, count in sorted(tally.rows.items()))
    vouched = "as in its manifest" if dataset.meta else "no manifest vouches for it"
    lines = [f"{path}: {tally.rows.total()} items in {len(dataset.files)} files ({splits}); no problems; {vouched}"]
    return lines + (told(str(dataset.meta["source"]), dataset.meta["records"]) if "records" in dataset.meta else [])


def _read(dataset: Dataset, pictures: bool, found: Quarantine, tally: Tally, progress: bool) -> None:
    seen = Seen()
    bar = tqdm(desc="validate", unit="row", total=dataset.rows, disable=None if progress else True)
    with bar:
        for file in dataset.files:
            rows = 0
            try:
                for record in scan_items(file):
                    rows += 1
                    bar.update()
                    if problem := _problem(record, seen, pictures):
                        found.drop(problem.item, problem.reason, problem.detail)
                    elif isinstance(record, Item):
                        tally.add(record)
            except UserError as error:
                found.drop(file.name, UNREADABLE, str(error))
            expected = dataset.meta["rows"][file.name] if dataset.meta else rows
            if rows != expected:
                found.drop(file.name, MISCOUNTED, f"{rows} rows, its manifest says {expected}")
    if not len(found) and not tally.rows:
        found.drop(str(dataset.path), MISCOUNTED, "no rows")
    if dataset.meta and not len(found) and tally.table() != dataset.meta.get("counts"):
        found.drop(str(dataset.path), MISCOUNTED, "the manifest counts other items")
    if dataset.meta.get("records") and not len(found):
        records = sum(count for count, _ in dataset.meta["records"].values())
        if records != tally.rows.total() + sum(dataset.meta.get("dropped", {}).values()):
            found.drop(str(dataset.path), MISCOUNTED, f"{records} records are not its rows and what was dropped")


def _problem(record: Item | Dropped, seen: Seen, pictures: bool) -> Dropped | None:
    if isinstance(record, Dropped):
        return record
    if reason := text_problem(record):
        return Dropped(record.id, reason)
    if not seen.add(record.id):
        return Dropped(record.id, DUPLICATE_ID)
    try:
        for image in record.images if pictures else ():
            decode_image(image)
    except DataError as error:
        return Dropped(record.id, error.reason, error.detail)
    return None
