"""A folder is complete before it is trusted: a manifest with the size and SHA-256 of every file, written last.

A checkpoint is used only when its manifest is there and matches; else the one before it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.runfiles.atomic import PARTIAL_SUFFIX, sync, write_json

MANIFEST = "manifest.json"


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Relative path → {"size": bytes, "sha256": hex} of every file under `folder`, sorted.

    The folder's own manifest and unfinished files are left out.
    """
    names = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST and not path.name.endswith(PARTIAL_SUFFIX)
    )
    return dict(zip(names, _in_threads(lambda name: _describe(folder / name), names), strict=True))


def seal(folder: Path | str, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Declare a folder complete: flush its files to the disk, hash them and write its manifest atomically.

    Args:
        folder: A folder that nothing writes to any more.
        meta: Anything JSON can hold (step, configuration hash …), kept under "meta".

    Returns:
        The manifest: {"files": {relative path: {"size", "sha256"}}, "meta"}.

    Raises:
        UserError: The folder is missing or holds no file, or the disk is full.
    """
    folder = Path(folder)
    files = hash_files(folder)
    if not files:
        raise UserError("there is no file to seal", where=str(folder))
    for name in files:
        sync(folder / name)
    for inner in {folder, *((folder / name).parent for name in files)}:
        sync(inner)
    manifest = {"files": files, "meta": dict(meta or {})}
    write_json(folder / MANIFEST, manifest)
    return manifest


def unseal(folder: Path | str) -> None:
    """Take the declaration back, before anything in the folder is changed."""
    (Path(folder) / MANIFEST).unlink(missing_ok=True)


def read_manifest(folder: Path | str) -> dict[str, Any] | None:
    """The manifest of a folder; None when it is missing or unreadable."""
    manifest = _read_json(Path(folder) / MANIFEST)
    files = manifest.get("files") if manifest else None
    return manifest if isinstance(files, dict) and all(isinstance(f, dict) for f in files.values()) else None


def verify(folder: Path | str) -> list[str]:
    """What is wrong with a sealed folder, one sentence a problem; empty when it may be trusted.

    Files that the manifest does not name are not a problem.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return ["the folder does not exist"]
    manifest = read_manifest(folder)
    if manifest is None:
        damaged = (folder / MANIFEST).exists()
        return [f"{MANIFEST} is damaged" if damaged else f"incomplete: it has no {MANIFEST}"]
    entries = list(manifest["files"].items())
    found = _in_threads(lambda entry: _problem(folder / entry[0], entry[0], entry[1]), entries)
    return [problem for problem in found if problem]


class Pointer:
    """A JSON file that names the newest complete folder beside it; replaced atomically.

    Args:
        path: The pointer's file; folders are named relative to where it stands.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def set(self, folder: Path | str, **meta: Any) -> None:
        """Name `folder`, with anything else worth knowing (step …). Raises UserError when the disk is full."""
        name = os.path.relpath(Path(folder).absolute(), self.path.parent.absolute())
        write_json(self.path, {"folder": name, **meta})

    def read(self) -> dict[str, Any] | None:
        """What the pointer says ("folder" and what was given to `set`); None when it is missing or damaged."""
        value = _read_json(self.path)
        return value if value and isinstance(value.get("folder"), str) else None

    def get(self) -> Path | None:
        """The folder named; None when the pointer is missing or damaged. The folder may be gone: verify it."""
        value = self.read()
        return self.path.parent / value["folder"] if value else None


def last_good(root: Path | str, on_damage: Callable[[Path, list[str]], None] | None = None) -> Path | None:
    """The newest trusted folder among those directly under `root` whose names end in a step number (`global_step_12`).

    Args:
        root: Folder of checkpoints; may be missing.
        on_damage: Called with each newer folder that is passed over, and its problems.

    Returns:
        The folder with the highest step that verifies; None when there is none.
    """
    for folder in reversed(numbered_folders(root)):
        problems = verify(folder)
        if not problems:
            return folder
        if on_damage is not None:
            on_damage(folder, problems)
    return None


def numbered_folders(root: Path | str) -> list[Path]:
    """The folders directly under `root` whose names end in a number, in the order of that number."""
    root = Path(root)
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    numbered = [(int(match[0]), path) for path in folders if (match := re.search(r"\d+$", path.name))]
    return [path for _, path in sorted(numbered)]


def _describe(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": hash_file(path)}


def _problem(path: Path, name: str, entry: Mapping[str, Any]) -> str | None:
    try:
        size = path.stat().st_size
        if size != entry.get("size"):
            return f"{name} has {size} bytes, its manifest says {entry.get('size')}"
        return None if hash_file(path) == entry.get("sha256") else f"the content of {name} differs from its manifest"
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _in_threads(function: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """hashlib releases the GIL, so large checkpoints are hashed on every core."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, values))
