"""An exact set of keys in bounded memory: their 128-bit hashes, in a private database that spills to the disk."""

from __future__ import annotations

import hashlib
import sqlite3

from rl_align.errors import UserError

_CACHE_KIB = 65_536


def digest(*parts: str | bytes, size: int = 16) -> bytes:
    """BLAKE2b hash of `size` bytes over the parts; where one part ends matters."""
    made = hashlib.blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "little"))
        made.update(data)
    return made.digest()


class Seen:
    """Remembers keys. Two keys are taken for one with probability n²/2¹²⁹ among n: never.

    Memory stays below some 70 MB however many keys there are; beyond that they lie in SQLite's temporary file, which is gone with
    the process, however it ends.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._cursor = self._database.cursor()
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}", "locking_mode=EXCLUSIVE"):
            self._cursor.execute(f"PRAGMA {pragma}")
        self._cursor.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY) WITHOUT ROWID")
        self._cursor.execute("BEGIN")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, *key: str | bytes) -> bool:
        """Remembers a key and says whether it is new.

        Raises:
            UserError: The folder of temporary files is full.
        """
        try:
            self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest(*key),))
        except sqlite3.OperationalError as error:
            fix = "free some space, or set TMPDIR to a folder that has some"
            raise UserError(f"the temporary files cannot be written ({error})", where="TMPDIR", fix=fix) from error
        new = self._cursor.rowcount == 1
        self._count += new
        return new
