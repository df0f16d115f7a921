"""The cache file beside an event loop: reads in one thread, writes gathered in another. When it fails, calls go on without it."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .meters import Meters
from .store import Store

log = logging.getLogger("rl_align.endpoints")

#: Writes are gathered for as long as this, so that a commit is shared by many.
_GATHER_S = 0.1


class Disk:
    """One cache file, in one process.

    Args:
        path: The SQLite file.
        meters: Where failures are counted.
        read_patience_s: How long a read waits for a lock, and calls with it.
        write_patience_s: How long a write waits for one, and nobody with it.
    """

    def __init__(self, path: str, meters: Meters, read_patience_s: float = 1.0, write_patience_s: float = 10.0):
        self.process = os.getpid()
        self._switch = _Switch(path, meters)
        self._readers = ThreadPoolExecutor(1, "rl_align-cache-read")
        self._store: Store | None = None
        self._patience_s = read_patience_s
        self._writer = _Writer(path, self._switch, write_patience_s)
        # What is gathered is written at the end of the process too, when nobody closed this.
        self._at_end = weakref.finalize(self, self._writer.stop)

    @property
    def off(self) -> bool:
        """Whether the file is not used any more."""
        return self._switch.off

    def read(self, keys: Sequence[str]) -> Future[dict[str, list[Any]]]:
        """The answers that are there, by key. Never fails: without a usable file there are none."""
        return self._readers.submit(self._read, keys)

    def put(self, key: str, answer: list[Any]) -> None:
        """Adds an answer, some time soon."""
        if not self._switch.off:
            self._writer.put(key, answer)

    def close(self) -> None:
        """Returns when everything is on the disk. Blocks."""
        self._at_end()
        self._readers.shutdown()
        if self._store is not None:
            self._store.close()

    def _read(self, keys: Sequence[str]) -> dict[str, list[Any]]:
        if self._switch.off:
            return {}
        try:
            if self._store is None:
                self._store = Store(self._switch.path, self._patience_s)
            return self._store.read(keys)
        except (sqlite3.Error, OSError) as error:
            self._switch.turn_off(error)
            return {}


class _Switch:
    """Turns the file off at its first failure, and says so once."""

    def __init__(self, path: str, meters: Meters):
        self.path = path
        self.off = False
        self._meters = meters
        self._lock = threading.Lock()

    def turn_off(self, error: Exception, lost: int = 0) -> None:
        with self._lock:
            self._meters.cache_errors += 1
            self._meters.cache_lost += lost
            if self.off:
                return
            self.off = True
        log.warning(
            "%s: the cache of answers cannot be used (%s); going on without it, so every call is sent and paid for. "
            "Remove the file or end the process that locks it, then start again.",
            self.path,
            error,
        )


class _Writer:
    """A thread that writes what was gathered. It knows nothing of its `Disk`, which can therefore be collected."""

    def __init__(self, path: str, switch: _Switch, patience_s: float):
        self._path = path
        self._patience_s = patience_s
        self._switch = switch
        self._gathered: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, key: str, answer: list[Any]) -> None:
        with self._lock:
            self._gathered[key] = answer
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rl_align-cache-write", daemon=True)
                self._thread.start()
        if not self._wanted.is_set():
            self._wanted.set()

    def stop(self) -> None:
        self._ending.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        while not (self._ending.is_set() and not self._gathered):
            self._wanted.wait()
            self._ending.wait(_GATHER_S)
            self._wanted.clear()
            with self._lock:
                batch, self._gathered = self._gathered, {}
            if not batch or self._switch.off:
                continue
            try:
                store = store or Store(self._path, self._patience_s)
                store.write(batch)
            except (sqlite3.Error, OSError) as error:
                self._switch.turn_off(error, lost=len(batch))
        if store is not None:
            store.close()
