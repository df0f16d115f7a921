"""Files that are whole or absent: written beside their place, flushed, renamed. Appended lines are whole or ignored."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rl_align.errors import UserError

#: How an unfinished file ends. A process killed while writing leaves one behind; nothing ever reads it.
PARTIAL_SUFFIX = ".partial~"

_ADVICE = {
    errno.ENOSPC: ("no space left on the device", "free some space and run the same command again: it continues"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the same command again: it continues"),
    errno.EACCES: ("no permission to write", "choose a folder that you may write to"),
    errno.EPERM: ("no permission to write", "choose a folder that you may write to"),
    errno.EROFS: ("the file system is read-only", "choose a folder that you may write to"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("a folder stands where the file should go", "remove it or choose another path"),
}


def write_bytes(path: Path | str, data: bytes) -> None:
    """Replace `path` with `data` atomically; folders above it are made.

    Raises:
        UserError: No space, no permission, or a path that cannot hold a file.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Replace `path` with UTF-8 `text` atomically. Raises UserError as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8", "surrogatepass"))


def write_json(path: Path | str, value: Any) -> None:
    """Replace `path` with `value` as indented JSON atomically.

    Dataclasses, paths and numpy scalars are written as what they hold.

    Raises:
        UserError: As `write_bytes`.
        ValueError: A number that JSON does not have (NaN, infinity).
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=_jsonable) + "\n")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """For libraries that write files by name: yields a path to write to, then puts the result in the place of `path`.

    When the body raises, `path` stays as it was. Raises UserError as `write_bytes` does.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            sync(partial)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        sync(path.parent)


def append_line(path: Path | str, value: Any) -> None:
    """Append `value` as one JSON line, on the disk when this returns. One writer at a time.

    A line that an earlier writer left unfinished is cut off first. Raises as `write_json` does.
    """
    path = Path(path)
    line = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_jsonable) + "\n"
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b", buffering=0) as file:
            end = _end_of_whole_lines(file)
            file.truncate(end)
            try:
                _write_all(file, line.encode("utf-8", "surrogatepass"))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise


def read_lines(path: Path | str) -> Iterator[Any]:
    """The JSON lines of a file written by `append_line`; a last line without its end is left out.

    A missing file has no lines.

    Raises:
        UserError: A whole line that is not JSON, by line number.
    """
    path = Path(path)
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                where = f"{path}:{number}"
                raise UserError("the line is damaged", where=where, expected="one JSON value a line") from error


def sync(path: Path | str) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turn the OSErrors that a person can do something about into UserErrors about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        what, fix = _ADVICE[error.errno]
        raise UserError(what, where=str(path), fix=fix) from error


def _write_all(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _end_of_whole_lines(file: Any, block: int = 65536) -> int:
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _jsonable(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(getattr(value, "item", None)):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
