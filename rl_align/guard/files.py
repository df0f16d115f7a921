"""Images of a folder, by `file://` URL. Nothing outside the folder is read, whatever links lead there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rl_align.errors import UserError

from .errors import Code, GuardError


class Folder:
    """A folder whose files may be shown.

    Args:
        path: The folder.
        where: Key of the settings, for the error.

    Raises:
        UserError: No such folder.
    """

    def __init__(self, path: str, where: str = "images.folder"):
        self._root = Path(path).resolve()
        if not self._root.is_dir():
            raise UserError("is no folder", where=where, expected="a folder with images")

    def read(self, url: str, max_bytes: int, too_large: GuardError, param: str | None = None) -> bytes:
        """The bytes of a regular file below the folder.

        Args:
            url: `file:///absolute/path`.
            max_bytes: Longest file.
            too_large: Raised for a longer one.
            param: Where the request has it, for the error.

        Raises:
            GuardError: No such file below the folder; it says nothing of files elsewhere.
        """
        refused = GuardError(Code.invalid_image_url, "there is no such image in the folder that may be read", param=param)
        try:
            parts = urlsplit(url)
            path = unquote(parts.path, errors="strict")
            if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
                raise refused
            # Before anything is opened: to open some devices is to set them going.
            if not Path(path).resolve().is_relative_to(self._root):
                raise refused
            # Not blocking: a pipe would wait for its writer. What was opened is checked again: the name may lead elsewhere by now.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (OSError, ValueError, RuntimeError):
            raise refused from None
        try:
            real = Path(os.readlink(f"/proc/self/fd/{fd}"))
            info = os.fstat(fd)
            if not real.is_relative_to(self._root) or not stat.S_ISREG(info.st_mode):
                raise refused
            if info.st_size > max_bytes:
                raise too_large
            with os.fdopen(fd, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        except OSError:
            raise refused from None
        finally:
            os.close(fd)
        if len(data) > max_bytes:
            raise too_large
        return data
