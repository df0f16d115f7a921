"""Calls under way. Identical ones share one, which goes on as long as anybody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from .cache import Answer
from .types import EndpointError, FailureReason


class Landed(NamedTuple):
    """What a flight brought, and what it took: requests and money."""

    answer: Answer
    attempts: int
    cost: float


class Flight:
    """One call under way, in a task of its own: a caller that gives up does not take it from the others.

    It lasts until the latest deadline of those who wait for it: who joins late would else inherit one that is nearly over.

    Args:
        loop: The running loop.
        fly: Makes the work; given the flight, so that it can say what it is doing.
        gone: Called once, when nobody can join any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fly: Callable[[Flight], Coroutine[Any, Any, Landed]],
        gone: Callable[[Flight], None],
    ):
        #: By then nobody waits any more.
        self.deadline = loop.time()
        #: For the message when time runs out.
        self.doing = "waiting in line (concurrency)"
        self._loop = loop
        self._gone = gone
        self._waiting: set[asyncio.Future[Landed]] = set()
        self._ended_by: EndpointError | None = None
        self.task = loop.create_task(fly(self))
        self.task.add_done_callback(self._land)

    async def join(self, deadline_s: float) -> Landed:
        """What the flight brings within this time. Raises EndpointError."""
        place: asyncio.Future[Landed] = self._loop.create_future()
        self._waiting.add(place)
        due = self._loop.time() + deadline_s
        self.deadline = max(self.deadline, due)
        timer = self._loop.call_at(due, self._expire, place, deadline_s)
        try:
            return await place
        finally:
            timer.cancel()
            self._waiting.discard(place)
            if not self._waiting:
                self._gone(self)
                self.task.cancel()

    def end(self, error: EndpointError) -> None:
        """Ends it for everybody."""
        if self._ended_by is None:
            self._ended_by = error
        self._gone(self)
        self.task.cancel()

    def _expire(self, place: asyncio.Future[Landed], deadline_s: float) -> None:
        if not place.done():
            told = f"deadline_s ({deadline_s:g} s) is over while {self.doing}"
            place.set_exception(EndpointError(FailureReason.timeout, told))

    def _land(self, task: asyncio.Task[Landed]) -> None:
        self._gone(self)
        error = self._ended_by if task.cancelled() else task.exception()
        for place in self._waiting:
            if place.done():
                continue
            if isinstance(error, EndpointError):
                # Each caller gets an exception of its own: raising one in several tasks would mix their tracebacks.
                place.set_exception(EndpointError(error.reason, error.message))
            elif error is not None:
                place.set_exception(error)
            elif task.cancelled():
                place.cancel()
            else:
                place.set_result(task.result())


class Flights:
    """The calls under way in one event loop, by key."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._under_way: dict[str, Flight] = {}
        self._ended_by: EndpointError | None = None

    def get(self, key: str) -> Flight | None:
        """The flight to join, if there is one."""
        return self._under_way.get(key)

    def start(self, key: str, fly: Callable[[Flight], Coroutine[Any, Any, Landed]]) -> Flight:
        """A new flight, which others can join until it ends. Raises EndpointError after `end`."""
        if self._ended_by is not None:
            raise EndpointError(self._ended_by.reason, self._ended_by.message)

        def gone(flight: Flight) -> None:
            if self._under_way.get(key) is flight:
                del self._under_way[key]

        flight = self._under_way[key] = Flight(self._loop, fly, gone)
        return flight

    async def end(self, error: EndpointError) -> None:
        """Ends all of them, for good; returns when they have let go of their connections."""
        self._ended_by = error
        flights = list(self._under_way.values())
        for flight in flights:
            flight.end(error)
        await asyncio.gather(*(flight.task for flight in flights), return_exceptions=True)
