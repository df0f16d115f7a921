"""Pictures in zip archives beside the files of a copy, read where they are: nothing is unpacked, and nothing huge is read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from rl_align.data.images import MAX_SOURCE_BYTES
from rl_align.data.quarantine import DataError

TOO_LARGE, BROKEN = "image_too_large", "archive_broken"
#: Where archives lie, relative to the copy.
_PLACES = (".", "data")


def read(folder: Path, names: Iterable[str]) -> bytes | None:
    """The first of some pictures that an archive of the copy holds; None when none does.

    Args:
        folder: The copy.
        names: Relative names, without "..", as they would be if every archive were unpacked where it lies, in a folder of its own
            name, or without the one folder that everything in it is in.

    Raises:
        DataError: It is too large, or no archive has it and one is damaged or encrypted.
    """
    wanted = [str(PurePosixPath(name)) for name in names]
    broken = None
    for path, size, changed in _archives(str(folder), *_ages(folder)):
        try:
            archive, members = _opened(path, size, changed)
            if member := next((members[name] for name in wanted if name in members), None):
                return _member(archive, member)
        except DataError:
            raise
        except Exception as error:  # zipfile and the decompressors below it let through whatever broken bytes make them raise
            broken = broken or DataError(BROKEN, f"{Path(path).name}: {error}")
    if broken is not None:
        raise broken
    return None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_SOURCE_BYTES:
        raise DataError(TOO_LARGE, f"{name[:80]}: at most {MAX_SOURCE_BYTES} bytes are read")
    with archive.open(name) as file:
        return file.read(MAX_SOURCE_BYTES)


def _ages(folder: Path) -> tuple[int, ...]:
    """When the places changed: files that were added since are found."""
    return tuple((folder / place).stat().st_mtime_ns if (folder / place).is_dir() else 0 for place in _PLACES)


@lru_cache(maxsize=8)
def _archives(folder: str, *ages: int) -> tuple[tuple[str, int, int], ...]:
    found = sorted(path for place in _PLACES for path in Path(folder, place).glob("*.zip") if path.is_file())
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found)


@lru_cache(maxsize=8)
def _opened(path: str, size: int, changed: int) -> tuple[zipfile.ZipFile, Mapping[str, str]]:
    """The archive, and name → member under every way in which it might have been unpacked."""
    archive = zipfile.ZipFile(path)
    members = [info.filename for info in archive.infolist() if not info.is_dir()]
    tops = {name.partition("/")[0] for name in members}
    stem = Path(path).stem
    names = {name: name for name in members} | {f"{stem}/{name}": name for name in members}
    if len(tops) == 1:
        names |= {name.partition("/")[2]: name for name in members}
    return archive, names
