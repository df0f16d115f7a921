"""How many bytes all requests under way may hold together."""

from __future__ import annotations

from types import TracebackType

from .errors import Code, GuardError


class Room:
    """Bytes that may be held.

    Args:
        limit: Most bytes.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self.used = 0

    def lease(self) -> Lease:
        """What one request holds; a `with` block gives it back."""
        return Lease(self)

    def take(self, count: int) -> None:
        """For `Lease`. Raises GuardError when there is no room."""
        if self.used + count > self._limit:
            raise GuardError(Code.overloaded, "the requests under way hold as many bytes as the guard lets them; try again later")
        self.used += count

    def give(self, count: int) -> None:
        """For `Lease`."""
        self.used -= count


class Lease:
    """The bytes of one request."""

    def __init__(self, room: Room):
        self._room = room
        self._held = 0

    def take(self, count: int) -> None:
        """Takes more. Raises GuardError when there is no room."""
        self._room.take(count)
        self._held += count

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._room.give(self._held)
        self._held = 0
