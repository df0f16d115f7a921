"""What a dataset consists of, in numbers."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rl_align.data.dataset import open_dataset
from rl_align.data.fingerprint import item_key, picture_key, text_key
from rl_align.data.images import image_size
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.seen import Seen
from rl_align.data.tally import Tally
from rl_align.data.untrusted import shown

QUANTILES = (0, 5, 25, 50, 75, 95, 100)
_DIMENSIONS = ("harmful", "expected", "category", "policy", "modality", "pictures", "dataset", "licence")
_MOST = 30


def stats(path: str | Path, progress: bool = True) -> dict[str, Any]:
    """Counts what a dataset holds, in memory of a few bytes a row.

    Returns:
        rows, files, bytes; splits: name → {"rows", dimension: {value: number}}; totals: dimension → {value: number};
        prompt_chars and picture_pixels: percentile → value; sizes: the most frequent "width×height" → number;
        duplicates: rows whose prompt, whose prompt and pictures, and pictures whose bytes occurred before; unreadable: rows and
        pictures that cannot be read.

    Raises:
        UserError: No dataset.
    """
    dataset = open_dataset(path)
    tally, sizes, lengths, pixels = Tally(), Counter[str](), array("L"), array("L")
    prompts, questions, pictures = Seen(), Seen(), Seen()
    repeated, unreadable = Counter(prompts=0, items=0, pictures=0), Counter(rows=0, pictures=0)
    for item in tqdm(dataset.scan(), desc="stats", unit="row", total=dataset.rows, disable=None if progress else True):
        if isinstance(item, Dropped):
            unreadable["rows"] += 1
            continue
        tally.add(item)
        lengths.append(len(item.prompt))
        repeated["prompts"] += not prompts.add(text_key(item.prompt))
        repeated["items"] += not questions.add(item_key(item))
        for image in item.images:
            repeated["pictures"] += not pictures.add(picture_key(image))
            try:
                width, height = image_size(image)
            except DataError:
                unreadable["pictures"] += 1
                continue
            pixels.append(width * height)
            name = f"{width}×{height}"
            sizes[name if name in sizes or len(sizes) < 10_000 else "other"] += 1
    return {
        "rows": tally.rows.total(),
        "files": len(dataset.files),
        "bytes": sum(file.stat().st_size for file in dataset.files),
        "splits": tally.table(),
        "totals": {name: tally.total(name) for name in _DIMENSIONS},
        "prompt_chars": _quantiles(lengths),
        "picture_pixels": _quantiles(pixels),
        "sizes": dict(sizes.most_common(10)),
        "duplicates": dict(repeated),
        "unreadable": dict(unreadable),
    }


def table(found: dict[str, Any]) -> list[str]:
    """The numbers as lines for the console."""
    lines = [f"{found['rows']} rows in {found['files']} files, {found['bytes']:,} bytes"]
    lines.append("rows: " + _list({name: split["rows"] for name, split in found["splits"].items()}))
    lines += [f"{name}: {_list(found['totals'][name])}" for name in _DIMENSIONS]
    for name, title in (("prompt_chars", "characters of a prompt"), ("picture_pixels", "pixels of a picture")):
        if found[name]:
            lines.append(f"{title}: " + ", ".join(f"{p} % {value}" for p, value in found[name].items()))
    lines.append("picture sizes: " + _list(found["sizes"]))
    lines.append("occurred before: " + _list(found["duplicates"]))
    return [*lines, "unreadable: " + _list(found["unreadable"])]


def _quantiles(values: array) -> dict[str, int]:
    if not values:
        return {}
    cut = np.percentile(np.array(values, dtype=np.int64), QUANTILES, method="lower")
    return {str(q): int(value) for q, value in zip(QUANTILES, cut, strict=True)}


def _list(counts: dict[str, int]) -> str:
    parts = [f"{shown(name, 80)} {count}" for name, count in list(counts.items())[:_MOST]]
    more = [f"and {len(counts) - _MOST} more"] if len(counts) > _MOST else []
    return ", ".join(parts + more) or "none"
