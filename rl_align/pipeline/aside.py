"""Moves what a stage left behind out of the way when it starts over: kept for the person, never mixed with what comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rl_align.runfiles.atomic import write_text

#: Folder inside a run folder.
STALE = "stale"


def move_aside(folder: Path, stage: str, paths: Iterable[Path], shared: Iterable[Path]) -> list[Path]:
    """Moves a stage's own files, and its lines of shared files, to `stale/<stage>-<number>`.

    The lines are copied before they are taken out, so that a process killed in between loses none.

    Args:
        folder: The run folder.
        stage: Name of the stage.
        paths: Files and folders that are the stage's alone.
        shared: JSON lines files; a line whose "stage" is this one is moved. Lines that cannot be read stay.

    Returns:
        Where things are now; empty when there was nothing.
    """
    number = 1
    while (target := folder / STALE / f"{stage}-{number}").exists():
        number += 1
    moved = []
    for path in shared:
        own, others = lines_of(path, stage)
        if own:
            write_text(target / path.name, own)
            write_text(path, others)
            moved.append(target / path.name)
    for path in paths:
        if path.exists():
            target.mkdir(parents=True, exist_ok=True)
            moved.append(path.rename(_free(target, path)))
    return moved


def lines_of(path: Path, stage: str) -> tuple[str, str]:
    """(a stage's lines, the other lines) of a JSON lines file; both empty where there is none."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    own = [_is_of(line, stage) for line in lines]
    mine = _text(line for line, is_own in zip(lines, own, strict=True) if is_own)
    return mine, _text(line for line, is_own in zip(lines, own, strict=True) if not is_own)


def _is_of(line: bytes, stage: str) -> bool:
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("stage") == stage


def _text(lines: Iterable[bytes]) -> str:
    return b"".join(lines).decode("utf-8", "surrogatepass")


def _free(target: Path, path: Path) -> Path:
    """A name for `path` in `target` that no other moved path has: `checkpoints/grpo` and `tensorboard/grpo` end alike."""
    parts: Sequence[str] = path.parts
    for k in range(1, len(parts)):
        candidate = target / "-".join(parts[-k:])
        if not candidate.exists():
            return candidate
    raise FileExistsError(target / path.name)
