"""Requests that may be under way at once. Calls that have begun go before those that have not.

With one line for both, every retry would wait behind all first attempts of a large batch: failures would pile up at its end, where
nothing is left to fill the slots while they are tried again, and each call would take as long as the batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """Slots of one event loop, handed over in order.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int):
        self._free = count
        self._begun: deque[asyncio.Future[None]] = deque()
        self._fresh: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, begun: bool) -> AsyncIterator[None]:
        """Waits for a slot and holds it.

        Args:
            begun: Whether the call had a slot before.
        """
        await self._take(self._begun if begun else self._fresh)
        try:
            yield
        finally:
            self._give()

    async def _take(self, line: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was handed over in the same moment
                self._give()
            raise

    def _give(self) -> None:
        for line in (self._begun, self._fresh):
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
