"""The files of a dataset on the Hub as a local copy, in the Hub client's own cache."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rl_align.data.hub.place import Spot
from rl_align.data.hub.reach import explained

_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def snapshot(spot: Spot, revision: str, patterns: Sequence[str]) -> Path:
    """Downloads the files that match a pattern, but for those that are there.

    Raises:
        UserError: They cannot be downloaded.
    """
    with explained(spot):
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils import disable_progress_bars

        if not sys.stderr.isatty():
            disable_progress_bars()
        return Path(snapshot_download(spot.repo, repo_type="dataset", revision=revision, allow_patterns=list(patterns)))


def cached_snapshot(spot: Spot) -> Path | None:
    """The copy that is in the cache, at the revision that `spot` names, else the one that changed last. The Hub is not asked.

    None where there is none. The client's own search misses copies that were downloaded by commit or in part.
    """
    with explained(spot):
        from huggingface_hub import constants

        home = Path(constants.HF_HUB_CACHE) / f"datasets--{spot.repo.replace('/', '--')}"
        copies = sorted((path for path in home.glob("snapshots/*") if path.is_dir()), key=lambda path: path.stat().st_mtime_ns)
        if spot.revision is not None:
            named = home / "refs" / spot.revision
            commit = named.read_text().strip() if named.is_file() else spot.revision
            copies = [path for path in copies if _COMMIT.fullmatch(commit) and path.name.startswith(commit)]
        return copies[-1] if copies else None
