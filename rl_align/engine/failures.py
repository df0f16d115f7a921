"""What an engine failure tells the person: the first cause, in one line, and where the whole of it is."""

from __future__ import annotations

from pathlib import Path

from rl_align.errors import EngineFailed
from rl_align.runfiles.room import full

#: verl's words for a batch whose groups all failed.
EMPTY_BATCH = "no materializable trajectories"


def failures_log(folder: Path) -> Path:
    """Where groups that failed leave their reasons."""
    path = folder / "logs" / "rollout-failures.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def engine_failure(stage: str, error: Exception, folder: Path, before: int = 0) -> EngineFailed:
    """An error for what an engine process raised.

    Args:
        stage: Name of the stage.
        error: What Ray handed on.
        folder: Run folder.
        before: Bytes that the log of failed groups had when the stage began: a failed group is the cause of a failed batch.
    """
    if out_of_room := full(folder, stage):
        return out_of_room
    log = folder / "logs" / f"{stage.lower()}-failure.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    failed = failures_log(folder)
    groups = failed.read_bytes()[before:].decode(errors="replace") if failed.exists() else ""
    log.write_text(f"{error}\n\n{groups}")
    cause = str(getattr(error, "cause", None) or error)
    # A batch without a single group is empty because its groups failed; any other error speaks for itself.
    told = groups if groups and EMPTY_BATCH in cause else cause
    lines = [line.strip() for line in told.splitlines() if any(map(str.isalnum, line))]
    causes = [line for line in lines if "Error" in line.split(":")[0]] or lines
    return EngineFailed(
        f"the engine failed: {causes[-1][:300] if causes else type(error).__name__}",
        where=stage,
        fix=f"the whole message is in {log}; the same command goes on from the last checkpoint",
    )
