"""The items of a benchmark: from a local copy in its official layout, or from a dataset made by `rl-align data prepare`.

Whatever cannot be used is counted with its reason. Pictures of a local copy pass the same gate as those of a dataset.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.data.dataset import FORMAT, Dataset, open_dataset
from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.seen import Seen
from rl_align.data.sources.registry import Source, source_of
from rl_align.data.validate import DUPLICATE_ID, validate
from rl_align.errors import UserError
from rl_align.runfiles.manifest import MANIFEST, read_manifest
from rl_align.schema import Item

OTHER_DATASET = "other_dataset"


@dataclass(frozen=True)
class Loaded:
    """The items that are asked, and what became of all others.

    Attributes:
        items: In the order of the source.
        dropped: Reason → records that could not be used, also those that were dropped when a dataset was prepared.
        left_out: Split → usable items that were not asked for: another split or kind, or beyond the limit.
        absent: Splits that were asked for and have no usable item here.
        prepared: Whether they come from a dataset.
    """

    items: list[Item]
    dropped: Mapping[str, int]
    left_out: Mapping[str, int]
    absent: Sequence[str]
    prepared: bool

    def facts(self) -> dict[str, Any]:
        """For the task's metadata."""
        return {
            "items": len(self.items),
            "dropped": dict(self.dropped),
            "left_out": dict(self.left_out),
            "absent_splits": list(self.absent),
            "from": "dataset" if self.prepared else "local copy",
        }


def load_items(
    name: str,
    data: str | Path,
    *,
    splits: Collection[str] = (),
    keep: Callable[[Item], bool] = lambda item: True,
    limit: int = 0,
    pixels: int = ImageConfig.max_pixels,
    options: Mapping[str, Any] | None = None,
) -> Loaded:
    """The items of a source.

    All pictures are in memory, as PNG: of a very large benchmark, ask some splits, a limit, or fewer pixels.

    Args:
        name: The source, or the file of one.
        data: Folder of a local copy, or a dataset.
        splits: Splits that are asked; none named means all.
        keep: Whether an item is asked.
        limit: Most items, taken evenly from the whole, so that every category stays; 0 means all.
        pixels: Most pixels of a picture of a local copy.
        options: What the source's loader takes; for a local copy only.

    Raises:
        UserError: Nothing there, a broken file, an unknown split or option, or no usable item at all.
    """
    source, path = source_of(name), Path(data)
    dropped: Counter[str] = Counter()
    prepared = _is_dataset(path)
    if prepared:
        dataset = open_dataset(path)
        if options:
            fix = f"pass it when the dataset is made: `rl-align data prepare {name} … options.{next(iter(options))}=…`"
            raise UserError(f"{next(iter(options))} is of no use with a dataset", where=str(path), fix=fix)
        dropped.update(dataset.meta.get("dropped") or {})
        records: Iterable[Item | Dropped] = _own(dataset, source.name)
    else:
        records = _local(source, path, dict(options or {}))
    wanted, left_out, seen = [], Counter[str](), Counter[str]()
    for record in records:
        if isinstance(record, Dropped):
            dropped[record.reason] += 1
            continue
        seen[record.split] += 1
        if (splits and record.split not in splits) or not keep(record):
            left_out[record.split] += 1
        else:
            wanted.append(record)
    absent = sorted(set(splits) - set(seen))
    if absent and not dropped:
        raise UserError(f"no split {absent[0]!r}", where=str(path), expected=f"some of {', '.join(sorted(seen)) or 'none'}")
    chosen = evenly(wanted, limit)
    left_out.update(item.split for item in wanted)
    left_out.subtract(item.split for item in chosen)
    quarantine = Quarantine()
    items = chosen if prepared else list(validate(iter(chosen), ImageConfig(max_pixels=pixels), quarantine))
    dropped.update(quarantine.counts)
    if not items:
        why = ", ".join(f"{n} {reason}" for reason, n in dropped.most_common()) or "nothing was asked for"
        raise UserError(f"no items to ask ({why})", where=str(path), expected=f"a usable copy of {name}, or a dataset of it")
    return Loaded(items, dict(dropped.most_common()), {s: n for s, n in sorted(left_out.items()) if n}, absent, prepared)


def evenly(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` items, at even distances; 0 means all."""
    if not limit or limit >= len(items):
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]


def _is_dataset(path: Path) -> bool:
    if path.is_file():
        return True
    if not path.is_dir():
        raise UserError("no such file or folder", where=str(path), expected="a local copy in its official layout, or a dataset")
    try:
        found = (read_manifest(path) or {}) if (path / MANIFEST).is_file() else {}
    except UserError:
        return False
    meta = found.get("meta")
    return isinstance(meta, dict) and meta.get("format") == FORMAT


def _own(dataset: Dataset, name: str) -> Iterator[Item | Dropped]:
    """The dataset's items of this source; those of others, and repeated ones, are dropped."""
    seen = Seen()
    for record in dataset.scan():
        if isinstance(record, Dropped):
            yield record
        elif record.dataset != name:
            yield Dropped(record.id, OTHER_DATASET, record.dataset)
        elif not seen.add(record.id):
            yield Dropped(record.id, DUPLICATE_ID)
        else:
            yield record


def _local(source: Source, path: Path, options: Mapping[str, Any]) -> Iterable[Item | Dropped]:
    assert source.load is not None, "made here, not read"
    known = [p.name for p in inspect.signature(source.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if strange := [key for key in options if key not in known]:
        raise UserError(f"{source.name} knows no option {strange[0]}", expected=f"some of {', '.join(known) or 'none'}")
    return source.load(path, **options)
