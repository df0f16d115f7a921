"""Files that are complete or absent: written beside their place, then moved there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl_align.errors import UserError

#: What writing fails with; other errors inside the block come from whoever makes the content and are theirs to explain.
_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot be written ({os.strerror(error.errno) if error.errno else error})",
        where=str(path),
        fix="check the folder and the free space",
    )


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Hands out a temporary path beside `path`; the file written there replaces `path` when the block succeeds.

    Raises:
        UserError: The folder cannot be made or written, or the disk is full. `path` is then as it was before.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp's 0600 would hide the data set from everyone else who shares the folder.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise _unwritable(path, error) from error
    except OSError as error:
        if error.errno in _WRITING:
            raise _unwritable(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
