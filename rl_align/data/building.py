"""A dataset in the making: a folder beside its place, moved there when it is whole and sealed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rl_align.data.columns import SCHEMA_VERSION
from rl_align.data.dataset import FORMAT, dataset_manifest
from rl_align.data.shards import Shards
from rl_align.errors import UserError
from rl_align.runfiles.atomic import PARTIAL_SUFFIX, explained
from rl_align.runfiles.manifest import MANIFEST, seal

QUARANTINE, CONTAMINATION = "quarantine.jsonl", "contamination.jsonl"


def beside(out: str | Path, name: str) -> Path:
    """Where a list goes that belongs to a dataset that was not made."""
    out = Path(out).absolute()
    return out.with_name(f"{out.name}.{name}")


@dataclass
class Building:
    """A dataset in the making.

    Attributes:
        folder: Where its files go.
        shards: Takes its items.
        meta: What its manifest will say, beside counts and rows.
    """

    folder: Path
    shards: Shards
    meta: dict[str, Any]


@contextmanager
def building(out: str | Path, command: Mapping[str, Any], rows_per_shard: int) -> Iterator[Building]:
    """Hands out a dataset to fill; when the block succeeds it is sealed and takes the place of `out`, whole.

    Until then `out` stays as it was. What a killed command leaves behind lies beside it under a name that ends in
    `PARTIAL_SUFFIX`, is no dataset, and is cleared by the next command.

    Args:
        out: The folder. It may hold an older dataset that the same command made of the same source.
        command: What makes it: "name" and, where there is one, "source"; then its settings.
        rows_per_shard: Most rows of a file.

    Raises:
        UserError: `out` holds anything else, another command is writing it, or no space is left.
    """
    out = Path(out)
    _check_place(out, command)
    staging = out.absolute().with_name(f".{out.absolute().name}{PARTIAL_SUFFIX}")
    with explained(out), _alone(staging, out):
        try:
            made = Building(staging, Shards(staging, rows_per_shard), {})
            yield made
            made.shards.close()
            about = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "package_version": _version(), "command": dict(command)}
            counted = {"rows": made.shards.files, "counts": made.shards.tally.table()}
            seal(staging, {**about, "licences": made.shards.tally.total("licence"), **made.meta, **counted})
            _swap(staging, out.absolute())
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _check_place(out: Path, command: Mapping[str, Any]) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError("a file stands where the folder should go", where=str(out), fix="choose another folder")
    there = {path.name for path in out.iterdir()}
    if not there:
        return
    fix = "choose another folder, or remove this one"
    if MANIFEST not in there:
        raise UserError("the folder holds other files", where=str(out), expected="a new or empty folder", fix=fix)
    found = dataset_manifest(out)
    made_by = found["meta"].get("command", {})
    if any(made_by.get(key) != command.get(key) for key in ("name", "source")):
        raise UserError("the folder holds another dataset", where=str(out), expected="a new or empty folder", fix=fix)
    if strange := sorted(there - {MANIFEST, *found["files"]}):
        raise UserError(f"the folder holds other files, such as {strange[0]}", where=str(out), fix=fix)


@contextmanager
def _alone(staging: Path, out: Path) -> Iterator[None]:
    """Makes an empty `staging` and holds it: the kernel lets go of the lock when the process dies."""
    staging.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("another command is writing it", where=str(out), fix="wait for it, or choose another folder") from error
        for path in staging.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        yield
    finally:
        os.close(descriptor)


def _swap(staging: Path, out: Path) -> None:
    """A folder that holds files cannot be replaced in one step: killed in between, there is none, never a mixture."""
    old = out.with_name(f".{out.name}.old{PARTIAL_SUFFIX}")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(staging, out)
    shutil.rmtree(old, ignore_errors=True)


def _version() -> str:
    try:
        return metadata.version("rl_align")
    except metadata.PackageNotFoundError:
        return "unknown"
