"""The pictogram world as parquet files, one a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tqdm import tqdm

from rl_align.data.items import write_items
from rl_align.pictograms.config import PictogramsConfig, check
from rl_align.pictograms.items import count, items, size
from rl_align.pictograms.plan import SPLITS


def make(cfg: PictogramsConfig, out: Path | str, progress: bool = True) -> dict[str, Any]:
    """Writes `<split>.parquet` for every split.

    Args:
        cfg: The dataset.
        out: Folder, made when missing.
        progress: Whether to show a progress bar where stderr is a terminal.

    Returns:
        Split → cell → expected behaviour → number of items.

    Raises:
        UserError: A value of `cfg` that no dataset can be made from, or `out` cannot be written.
    """
    check(cfg)
    quiet = None if progress else True  # None: silent unless stderr is a terminal
    counts: dict[str, Any] = {}
    for split in SPLITS:
        made = list(tqdm(items(cfg, split), desc=split, total=size(cfg, split), unit="item", disable=quiet))
        write_items(Path(out) / f"{split}.parquet", made)
        counts[split] = count(made)
    return counts
