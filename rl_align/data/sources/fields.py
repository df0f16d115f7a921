"""Values out of untrusted rows: of the right type and size, or a DataError that says what was seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources import archives
from rl_align.data.sources.tables import BAD_ROW, Row
from rl_align.schema import Behaviour, ImageRef, Item

IMAGE_NOT_LOCAL = "image_not_local"
#: Longer texts are no prompts or answers of these datasets.
MAX_CHARS = 200_000
_MAX_NAME = 500

#: Anything but compliance is right.
NO_COMPLIANCE = (Behaviour.REFUSE, Behaviour.SAFE_COMPLETE)
#: An answer is due that names the risk: a bare refusal is as wrong as going along.
CAUTION = (Behaviour.SAFE_COMPLETE,)
COMPLY = (Behaviour.COMPLY,)

_TRUE, _FALSE = ("yes", "true", "1"), ("no", "false", "0")


def attempt(make: Callable[..., Item | Dropped], key: str, row: Row | Dropped, *context: Any) -> Item | Dropped:
    """`make(key, row, *context)`, or what was wrong with the row, under the same key."""
    if isinstance(row, Dropped):
        return Dropped(key, row.reason, f"{row.item}: {row.detail}")
    try:
        return make(key, row, *context)
    except DataError as error:
        return Dropped(key, error.reason, error.detail)


def text(row: Row, name: str) -> str:
    """A text that is not blank. Raises DataError."""
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(BAD_ROW, f"{name} is {_kind(value)}, not text")
    if not value.strip():
        raise DataError(BAD_ROW, f"empty {name}")
    if len(value) > MAX_CHARS:
        raise DataError(BAD_ROW, f"{name} has {len(value)} characters, at most {MAX_CHARS} are read")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(BAD_ROW, f"{name} is not Unicode") from error
    return value


def optional(row: Row, name: str) -> str | None:
    """A text, or None where the cell is missing, null or blank. Raises DataError for anything else."""
    value = row.get(name)
    return None if value is None or value == "" or (isinstance(value, str) and value.isspace()) else text(row, name)


def ident(row: Row, name: str) -> str:
    """An id: a whole number or a short text. Raises DataError."""
    value = row.get(name)
    made = str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else text(row, name)
    if len(made) > _MAX_NAME:
        raise DataError(BAD_ROW, f"{name} has {len(made)} characters")
    return made


def one_of(row: Row, name: str, allowed: Collection[str]) -> str:
    """A text or number out of a closed set, as text. Raises DataError."""
    value = ident(row, name)
    if value not in allowed:
        raise DataError(BAD_ROW, f"{name} {value[:80]!r} is none of {', '.join(allowed)}")
    return value


def flag(row: Row, name: str) -> bool:
    """A truth value, also where it is written as 0, 1, "yes" or "no". Raises DataError."""
    value = row.get(name)
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word not in (*_TRUE, *_FALSE):
        raise DataError(BAD_ROW, f"{name} is {_kind(value)}, neither yes nor no")
    return word in _TRUE


def texts(row: Row, name: str) -> list[str]:
    """A list of texts, none blank. Raises DataError."""
    values = row.get(name)
    if not isinstance(values, list):
        raise DataError(BAD_ROW, f"{name} is {_kind(values)}, not a list")
    return [text({name: value}, name) for value in values]


def picture(folder: Path, name: str, roots: Iterable[str] = (".",)) -> ImageRef:
    """The picture `name` below the first of `roots` (relative to `folder`) that has it, else out of a zip archive there.

    Raises:
        DataError: The name leads out of the folder (also through a link), or nothing stands there.
    """
    relative = PurePosixPath(name)
    strange = not name or len(name) > _MAX_NAME or any(sign in name for sign in "\\:\0")
    if strange or relative.is_absolute() or ".." in relative.parts:
        raise DataError(BAD_ROW, f"picture name {name[:80]!r} leaves the folder")
    roots = tuple(roots)
    try:
        base = _home(folder.resolve())
        for root in roots:
            path = folder / root / relative
            if path.is_file():
                if not path.resolve().is_relative_to(base):
                    raise DataError(BAD_ROW, f"picture {name[:80]!r} is a link out of the folder")
                return ImageRef(path=str(path))
        packed = archives.read(folder, [f"{root}/{relative}" for root in roots])
    except (OSError, ValueError) as error:
        raise DataError(BAD_ROW, f"picture name {name[:80]!r} is no file name") from error
    if packed is None:
        raise DataError(IMAGE_NOT_LOCAL, name)
    return ImageRef(data=packed)


def _home(folder: Path) -> Path:
    """Where a copy's files lie: the Hub's cache links the files of a snapshot to blobs beside it."""
    cached = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("datasets--")
    return folder.parent.parent if cached else folder


def embedded(row: Row, name: str, folder: Path | None) -> ImageRef:
    """The picture in a column of Hugging Face's image type {bytes, path}; a path alone stands for a file in `folder`.

    Raises:
        DataError: There is none, or a path where there is no folder.
    """
    value = row.get(name)
    if isinstance(value, dict):
        if isinstance(data := value.get("bytes"), bytes) and data:
            return ImageRef(data=data)
        value = value.get("path")
    if isinstance(value, bytes) and value:
        return ImageRef(data=value)
    if isinstance(value, str) and value:
        if folder is None:
            raise DataError(IMAGE_NOT_LOCAL, value)
        return picture(folder, value)
    raise DataError(BAD_ROW, f"{name} holds no picture")


def _kind(value: Any) -> str:
    return "missing" if value is None else type(value).__name__
