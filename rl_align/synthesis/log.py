"""Every answer that was paid for, in an SQLite file, on the disk before anybody acts on it.

A process that is killed loses the answers that it was still waiting for, and those that had arrived and whose commit (one flush to
the disk) was under way; nothing that it has acted on. Answers are found again by everything that decided them.
"""

from __future__ import annotations

import queue
import sqlite3
from asyncio import shield, wrap_future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

from rl_align.errors import UserError

#: "rlsy" in ASCII: marks the file as ours, so that no other database is written to.
_APPLICATION = 0x726C7379
_VERSION = 1

_TABLE = """
CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, role TEXT NOT NULL, item TEXT NOT NULL, attempt INTEGER NOT NULL, stage TEXT NOT NULL,
    sample INTEGER NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, text TEXT NOT NULL, finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL)
"""
_WRITE = f"INSERT OR IGNORE INTO responses VALUES ({', '.join('?' * 12)})"
_READ = "SELECT * FROM responses WHERE key = ?"
_SPENT = "SELECT count(*), total(prompt_tokens), total(completion_tokens) FROM responses WHERE role = ?"


@dataclass(frozen=True)
class Answered:
    """One answer of a model, as it came.

    Attributes:
        key: SHA-256 over everything that decides the answer.
        role: generator, judge or target.
        item: Id of the item that it was asked for; of items that share a call the first one.
        attempt: Number of the attempt, from 1.
        stage: What was asked.
        sample: Index of the independent sample or vote.
        model: Name of the model.
        version: Of the prompt.
        text: As generated.
        finish_reason: Why generation ended, in the endpoint's words.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
    """

    key: str
    role: str
    item: str
    attempt: int
    stage: str
    sample: int
    model: str
    version: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Spent:
    """What the answers of one role took, over all processes that wrote the file."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class ResponseLog:
    """The file. One process at a time; the folder's lock sees to that.

    Args:
        path: Made when missing. On a local disk: SQLite's log cannot be shared over a network.

    Raises:
        UserError: The file cannot be used.
    """

    def __init__(self, path: Path | str):
        self._path = str(path)
        self._arrived: queue.SimpleQueue[Answered] = queue.SimpleQueue()
        self._broken: UserError | None = None
        # One thread owns the connection, so a commit takes with it whatever arrived during the one before.
        self._thread = ThreadPoolExecutor(1, "rl_align-responses")
        try:
            self._thread.submit(self._open).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def find(self, key: str) -> Answered | None:
        """The answer with this key. Raises UserError when the file is damaged."""
        return await wrap_future(self._thread.submit(self._read, key))

    async def keep(self, answered: Answered) -> None:
        """Returns when the answer is on the disk; a caller that is cancelled meanwhile does not take it back.

        Raises:
            UserError: It cannot be written. Nothing more is kept from then on, so nothing more may be bought.
        """
        self._arrived.put(answered)
        await shield(wrap_future(self._thread.submit(self._commit)))

    def spent(self, role: str) -> Spent:
        """What the kept answers of a role took."""
        return self._thread.submit(lambda: Spent(*map(int, self._one(_SPENT, role)))).result()

    def close(self) -> None:
        """Returns when everything that arrived is on the disk."""
        self._thread.submit(self._connection.close)
        self._thread.shutdown()

    def _open(self) -> None:
        try:
            # Transactions are ours to begin and end.
            connection = self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            # A process killed while it made the file leaves the table without the marks: they are one transaction.
            if not empty and marks != (_APPLICATION, _VERSION):
                raise sqlite3.DatabaseError("a database of something else, or of another version")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            connection.execute(f"PRAGMA user_version={_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _read(self, key: str) -> Answered | None:
        row = self._one(_READ, key)
        return None if row is None else Answered(*row)

    def _one(self, query: str, value: str) -> tuple | None:
        try:
            return self._connection.execute(query, (value,)).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _commit(self) -> None:
        if self._broken:
            raise self._broken
        batch = []
        while not self._arrived.empty():
            batch.append(astuple(self._arrived.get()))
        if not batch:  # taken along by the commit before
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_WRITE, batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # Others whose answer was in this batch must learn of it, too.
            self._broken = self._unusable(error)
            raise self._broken from error

    def _unusable(self, error: sqlite3.Error) -> UserError:
        fix = "see that the disk has space and that no other program uses the file, then run the same command again"
        return UserError(f"the record of answers cannot be used ({error})", where=self._path, fix=fix)
