"""Whether a disk is full, told by the disk itself: an engine that could not write cannot say so in its logs either."""

from __future__ import annotations

import os
from pathlib import Path

from rl_align.errors import EngineFailed

#: Bytes below which nothing of use can be written.
LEAST = 256 * 1024


def full(folder: Path, stage: str) -> EngineFailed | None:
    """The error of a stage that failed because the disk that its folder is on has no room; None while there is some."""
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize >= LEAST:
        return None
    fix = "free some space and run the same command again: it goes on from the last checkpoint"
    return EngineFailed(f"{stage}: no space left on the device", where=str(folder), fix=fix)
