"""Answers that are known: in memory, then on disk, where everything that is asked for meanwhile is read at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from .disk import Disk
from .lru import Lru
from .meters import Meters
from .types import Completion

_INHERITED: list[Disk] = []

#: What an answer weighs in memory beside its text.
_OVERHEAD = 400


class Answer(NamedTuple):
    """What is kept of a completion. `parsed` is JSON text, so that nobody can change what others are given."""

    text: str
    parsed: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    def completion(self, latency_s: float, attempts: int = 0, cached: bool = True, cost: float = 0.0) -> Completion:
        """The completion of one call."""
        parsed = None if self.parsed is None else json.loads(self.parsed)
        used = self.prompt_tokens, self.completion_tokens
        return Completion(self.text, parsed, self.finish_reason, *used, latency_s, attempts, cached, cost)


class Cache:
    """The answers of one endpoint. Outlives event loops; the file is open from its first use until `close`.

    Args:
        path: SQLite file; None for memory only.
        memory_mb: Memory for answers.
        meters: Where failures are counted.
    """

    def __init__(self, path: str | None, memory_mb: int, meters: Meters):
        self._path = path
        self._meters = meters
        self._memory: Lru[str, Answer] = Lru(memory_mb * 2**20)
        self._disk: Disk | None = None

    def recall(self, key: str) -> Answer | None:
        """The answer, if it is in memory."""
        return self._memory.get(key)

    def remember(self, key: str, answer: Answer) -> None:
        """Keeps an answer in memory."""
        self._memory.put(key, answer, len(answer.text) + len(answer.parsed or "") + _OVERHEAD)

    def keep(self, key: str, answer: Answer) -> None:
        """Keeps an answer in memory and on disk."""
        self.remember(key, answer)
        disk = self.disk()
        if disk is not None:
            disk.put(key, list(answer))

    def disk(self) -> Disk | None:
        """The file; None when there is none, or it cannot be used."""
        if self._path is None:
            return None
        if self._disk is not None and self._disk.process != os.getpid():
            # A fork inherits no threads, and must not even close a connection of its parent.
            _INHERITED.append(self._disk)
            self._disk = None
        if self._disk is None:
            self._disk = Disk(self._path, self._meters)
        return None if self._disk.off else self._disk

    def close(self) -> None:
        """Returns when everything is on the disk. Blocks; a later use opens the file again."""
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.close()


class Lookups:
    """Reads from the disk for one event loop: one at a time, and all keys that came up meanwhile in the next."""

    def __init__(self, cache: Cache, loop: asyncio.AbstractEventLoop):
        self._cache = cache
        self._loop = loop
        self._wanted: list[tuple[str, asyncio.Future[Answer | None]]] = []
        self._reading = False

    async def find(self, key: str) -> Answer | None:
        """The answer, if it is on the disk; it is in memory from then on."""
        if self._cache.disk() is None:
            return None
        found: asyncio.Future[Answer | None] = self._loop.create_future()
        self._wanted.append((key, found))
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._read)
        return await found

    def _read(self) -> None:
        batch, self._wanted = self._wanted, []
        disk = self._cache.disk()
        if disk is None:
            self._deliver(batch, {})
            return

        def arrived(reading: Future[dict[str, list[Any]]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._deliver, batch, reading.result())

        disk.read(list({key for key, _ in batch})).add_done_callback(arrived)

    def _deliver(self, batch: list[tuple[str, asyncio.Future[Answer | None]]], rows: Mapping[str, list[Any]]) -> None:
        answers = {key: Answer(*row) for key, row in rows.items()}
        for key, answer in answers.items():
            self._cache.remember(key, answer)
        for key, found in batch:
            if not found.done():
                found.set_result(answers.get(key))
        self._reading = bool(self._wanted)
        if self._reading:
            self._loop.call_soon(self._read)
