"""A dataset on the disk: a folder of parquet files that its manifest names and vouches for, or such files alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rl_align.data.columns import SCHEMA_VERSION
from rl_align.data.items import scan_items
from rl_align.data.quarantine import Dropped
from rl_align.errors import UserError
from rl_align.runfiles.manifest import MANIFEST, read_manifest, verify
from rl_align.schema import Item

FORMAT = "rl_align dataset"
#: Manifests are read from anywhere: their names must not lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Dataset:
    """A dataset that was found.

    Attributes:
        path: Folder or file.
        files: Its parquet files, in order.
        meta: What its manifest says of it; empty where it has none.
    """

    path: Path
    files: tuple[Path, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def scan(self, splits: Collection[str] = ()) -> Iterator[Item | Dropped]:
        """Its rows, those of some splits only where any are named. Raises as `scan_items` does."""
        for path in self.files:
            for record in scan_items(path):
                if isinstance(record, Dropped) or not splits or record.split in splits:
                    yield record

    @property
    def rows(self) -> int | None:
        """Number of rows; None where there is no manifest."""
        return sum(self.meta["rows"].values()) if self.meta else None


def open_dataset(path: str | Path, *, hashes: bool = False) -> Dataset:
    """Finds a dataset.

    Args:
        path: A folder with a manifest, a folder of item files, or one item file.
        hashes: Whether to read every file and compare it with the manifest, not its size alone.

    Raises:
        UserError: Nothing there, or not what the manifest says.
    """
    path = Path(path)
    if path.is_file():
        return Dataset(path, (path,))
    if not path.is_dir():
        fix = "an interrupted command leaves no dataset: run it again" if path.parent.is_dir() else None
        raise UserError("no such file or folder", where=str(path), expected="a dataset", fix=fix)
    if not (path / MANIFEST).exists():
        if not (files := tuple(sorted(p for p in path.glob("*.parquet") if p.is_file()))):
            raise UserError("no parquet files", where=str(path), expected="a dataset")
        return Dataset(path, files)
    found = dataset_manifest(path)
    if problems := verify(path) if hashes else _sizes(path, found["files"]):
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}", where=str(path), expected="what its manifest says", fix="make it again")
    return Dataset(path, tuple(path / name for name in sorted(found["meta"]["rows"])), found["meta"])


def dataset_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a dataset's folder. Raises UserError when it is of something else, or damaged."""
    found = read_manifest(path) or {}
    meta = found.get("meta")
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise UserError("no manifest of a dataset", where=str(path / MANIFEST), expected=f'"format": "{FORMAT}"')
    if meta.get("schema_version") != SCHEMA_VERSION:
        what = f"items of schema version {meta.get('schema_version')}"
        raise UserError(what, where=str(path), expected=f"version {SCHEMA_VERSION}", fix="make the dataset again")
    files, rows, held_out = found["files"], meta.get("rows"), meta.get("held_out")
    sound = isinstance(rows, dict) and all(isinstance(n, int) for n in rows.values()) and {*rows} <= {*files}
    sound = sound and isinstance(held_out, list) and isinstance(meta.get("use"), str) and all(map(_NAME.fullmatch, files))
    if not sound or any((path / name).is_symlink() or (path / name).exists() and not (path / name).is_file() for name in files):
        raise UserError("the manifest is damaged", where=str(path / MANIFEST), fix="make the dataset again")
    return found


def _sizes(path: Path, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    sizes = {name: (path / name).stat().st_size if (path / name).is_file() else None for name in files}
    return [f"{name} is missing or of another size" for name, entry in files.items() if sizes[name] != entry.get("size")]
