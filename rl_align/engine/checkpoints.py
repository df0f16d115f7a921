"""Checkpoints that are complete before they are trusted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rl_align.runfiles.atomic import write_json
from rl_align.runfiles.manifest import Pointer, last_good, numbered_folders, seal, unseal

from .witness import WITNESS

LATEST = "latest.json"


class SealCheckpoint:
    """verl's checkpoint callback: seals the new checkpoint, moves the pointer, then removes the oldest."""

    def __init__(self, config: Any):
        self.keep = int(config.rl_align.keep_checkpoints)

    def on_save(self, trainer: Any, global_step: int, checkpoint_dir: str, async_save: bool = False) -> None:
        if trainer.witness and trainer.witness["step"] == global_step:
            write_json(Path(checkpoint_dir) / WITNESS, trainer.witness)
        seal_and_prune(Path(checkpoint_dir), global_step, self.keep)


def seal_and_prune(folder: Path, step: int, keep: int) -> None:
    """Seals a finished checkpoint and keeps the newest `keep` of its stage."""
    seal(folder, {"step": step})
    Pointer(folder.parent / LATEST).set(folder, step=step)
    for old in numbered_folders(folder.parent)[: -max(1, keep)]:
        unseal(old)  # a half-removed checkpoint must not look whole
        shutil.rmtree(old, ignore_errors=True)


def resume_point(root: Path, say: Any = print) -> Path | None:
    """The newest checkpoint that verifies, or None; says which ones were passed over and why.

    Folders newer than it are moved out of the engine's way, to `<name>.damaged`; of one step the newest such folder is kept.
    """

    def damaged(folder: Path, problems: list[str]) -> None:
        say(f"    checkpoint {folder.name} is not trusted ({problems[0]}); using the one before it")

    good = last_good(root, damaged)
    for folder in reversed(numbered_folders(root)):
        if folder == good:
            break
        shutil.rmtree(root / f"{folder.name}.damaged", ignore_errors=True)
        folder.rename(root / f"{folder.name}.damaged")
    return good
