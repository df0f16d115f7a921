"""Answers in an SQLite file that several processes read and write at once.

Write-ahead log: readers never wait for a writer, and a process that is killed leaves a file that the next one recovers by itself.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: "rlae" in ASCII: marks the file as ours, so that no other database is written to.
_APPLICATION = 0x726C6165
_VERSION = 1

_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, made REAL NOT NULL) WITHOUT ROWID"

# One row holds the whole batch: the interpreter's lock is given up and taken back at every row, which beside a busy event loop
# costs up to 5 ms each time.
_READ = """
SELECT group_concat('"' || key || '":' || answer) FROM answers WHERE key IN (SELECT value FROM json_each(?))
"""

# Others may have answered the same call meanwhile. The first answer stays: somebody may have acted on it.
_WRITE = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)"


class Store:
    """One connection, used by one thread at a time.

    Args:
        path: The file; made when missing, with its folder.
        patience_s: How long a lock of another process is waited for.

    Raises:
        sqlite3.Error: The file cannot be used.
        OSError: Its folder cannot be made.
    """

    def __init__(self, path: str, patience_s: float):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Transactions are ours to begin and end.
        self._connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(time.monotonic() + patience_s)
        except BaseException:
            self._connection.close()
            raise

    def read(self, keys: Sequence[str]) -> dict[str, list[Any]]:
        """The answers that are there. Raises sqlite3.Error, also for a damaged row."""
        (found,) = self._connection.execute(_READ, (json.dumps(keys),)).fetchone()
        try:
            return json.loads(f"{{{found or ''}}}")
        except ValueError:
            raise sqlite3.DatabaseError("a row is damaged") from None

    def write(self, answers: Mapping[str, Iterable[Any]]) -> None:
        """Adds answers in one transaction that is on the disk when this returns. Raises sqlite3.Error."""
        now = time.time()
        rows = [(key, json.dumps(answer), now) for key, answer in answers.items()]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_WRITE, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def close(self) -> None:
        """Closes the connection; the last one of all processes folds the log into the file."""
        self._connection.close()

    def _prepare(self, deadline: float) -> None:
        self._check_owner()
        while True:
            try:
                # Several processes that turn a new file to the log at once are told "locked" without any patience.
                self._connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self._connection.execute("PRAGMA synchronous=FULL")
        if not self._owned():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(_TABLE)
            self._connection.execute(f"PRAGMA application_id={_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version={_VERSION}")
            self._connection.execute("COMMIT")

    def _check_owner(self) -> None:
        empty = not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not empty and not self._owned():
            raise sqlite3.DatabaseError("it is a database of something else, or of another version of this cache")

    def _owned(self) -> bool:
        marks = [self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        return marks == [_APPLICATION, _VERSION]
