"""The files of a dataset on the Hub as a local copy, in the Hub client's own cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rl_align.data.hub.place import Spot
from rl_align.data.hub.reach import explained


def snapshot(spot: Spot, revision: str, patterns: Sequence[str]) -> Path:
    """Downloads the files that match a pattern, but for those that are there.

    Raises:
        UserError: They cannot be downloaded.
    """
    with explained(spot):
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(spot.repo, repo_type="dataset", revision=revision, allow_patterns=list(patterns)))


def cached_snapshot(spot: Spot) -> Path | None:
    """The copy that is in the cache, at the revision that `spot` names; None where there is none. The Hub is not asked."""
    with explained(spot):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(spot.repo, repo_type="dataset", revision=spot.revision, local_files_only=True))
        except LocalEntryNotFoundError:
            return None
