"""Calls under way. Identical ones share one, which goes on as long as anybody waits for it and ends by its deadline."""

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

    Args:
        loop: The running loop.
        fly: Makes the work; given the flight, so that it can say what it is doing.
        deadline_s: Longest time.
        gone: Called once, when nobody can join any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fly: Callable[[Flight], Coroutine[Any, Any, Landed]],
        deadline_s: float,
        gone: Callable[[Flight], None],
    ):
        self.deadline = loop.time() + deadline_s
        #: For the message when time runs out.
        self.doing = "waiting in line (concurrency)"
        self._deadline_s = deadline_s
        self._gone = gone
        self._waiting = 0
        self._ended_by: EndpointError | None = None
        self._landed: asyncio.Future[Landed] = loop.create_future()
        self._timer = loop.call_at(self.deadline, self._expire)
        self.task = loop.create_task(fly(self))
        self.task.add_done_callback(self._land)

    async def join(self) -> Landed:
        """What the flight brings. Raises EndpointError."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._landed)
        except EndpointError as error:
            # Each caller gets an exception of its own: raising one in several tasks would mix their tracebacks.
            raise EndpointError(error.reason, error.message) from None
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._gone(self)
                self.task.cancel()

    def end(self, error: EndpointError) -> None:
        """Ends it for everybody."""
        if self._ended_by is None:
            self._ended_by = error
        self._gone(self)
        self.task.cancel()

    def _expire(self) -> None:
        self.end(EndpointError(FailureReason.timeout, f"deadline_s ({self._deadline_s:g} s) is over while {self.doing}"))

    def _land(self, task: asyncio.Task[Landed]) -> None:
        self._timer.cancel()
        self._gone(self)
        error = self._ended_by if task.cancelled() else task.exception()
        if self._landed.done() or not self._waiting:
            return
        if error is not None:
            self._landed.set_exception(error)
        elif task.cancelled():
            self._landed.cancel()
        else:
            self._landed.set_result(task.result())


class Flights:
    """The calls under way in one event loop, by key."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._under_way: dict[str, Flight] = {}
        self._ended_by: EndpointError | None = None

    def get(self, key: str) -> Flight | None:
        """The flight to join, if there is one."""
        return self._under_way.get(key)

    def start(self, key: str, fly: Callable[[Flight], Coroutine[Any, Any, Landed]], deadline_s: float) -> Flight:
        """A new flight, which others can join until it ends. Raises EndpointError after `end`."""
        if self._ended_by is not None:
            raise EndpointError(self._ended_by.reason, self._ended_by.message)

        def gone(flight: Flight) -> None:
            if self._under_way.get(key) is flight:
                del self._under_way[key]

        flight = self._under_way[key] = Flight(self._loop, fly, deadline_s, gone)
        return flight

    async def end(self, error: EndpointError) -> None:
        """Ends all of them, for good; returns when they have let go of their connections."""
        self._ended_by = error
        flights = list(self._under_way.values())
        for flight in flights:
            flight.end(error)
        await asyncio.gather(*(flight.task for flight in flights), return_exceptions=True)
