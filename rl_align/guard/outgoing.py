"""One HTTP answer on its way to a client: JSON, a stream of events, or an error in the form that fits what was already sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from .errors import GuardError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

#: Under this name `guard/protocol.py` puts the connection into ASGI's scope.
LINE = "rl_align.guard.transport"
#: So long a client that has not read in time is given to read why its answer ends.
_LAST_S = 2.0
_LOOK_S = 0.02


class Outgoing:
    """An answer.

    Args:
        send: ASGI's.
        transport: The connection; None where it is not known, and a client that does not read is waited for.
        headers: Sent with every answer.
    """

    def __init__(self, send: Send, transport: asyncio.Transport | None = None, headers: Sequence[Header] = ()):
        self._send = send
        self._transport = transport
        self._headers = list(headers)
        self._cut = False
        self.started = False
        self.ended = False
        self._whole = False

    def add(self, name: str, value: str) -> None:
        """One more header, of our own making."""
        self._headers.append((name.encode("ascii"), value.encode("ascii")))

    async def json(self, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
        """A whole answer."""
        about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._start(status, [*about, *headers])
        await self._end(body)

    async def stream(self) -> None:
        """Begins a stream of events."""
        about = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._start(200, about)

    async def events(self, data: bytes) -> None:
        """Whole events of a stream; waits while the client does not read."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Ends a stream."""
        await self._end(b"")

    async def error(self, error: GuardError) -> None:
        """The error as an answer, or as the last event of a stream; nothing when the answer has ended. Does not wait for long."""
        if not self.ended:
            try:
                await asyncio.wait_for(self._error(error), _LAST_S)
            except asyncio.TimeoutError:
                self._abort()

    async def read(self, seconds: float) -> bool:
        """Whether the client has taken what was written. Waits for it; then the line is cut.

        Args:
            seconds: Longest time; a client that is late already is given a little more.
        """
        if self._transport is None:
            return True
        if self.started and not self._whole:
            self._abort()
        loop = asyncio.get_running_loop()
        end = loop.time() + max(seconds, _LAST_S)
        while not self._cut and self._transport.get_write_buffer_size():
            if loop.time() > end:
                self._abort()
            await asyncio.sleep(_LOOK_S)
        if self._cut:
            await asyncio.sleep(_LOOK_S)  # until the server knows that the line is cut
        return not self._cut

    async def _error(self, error: GuardError) -> None:
        body = json.dumps(error.body()).encode()
        if self.started:
            await self.events(b"data: " + body + b"\n\n")
            await self.end()
            return
        # OpenAI's clients ask it before they try again.
        headers = [(b"x-should-retry", b"true" if error.kind.again else b"false")]
        if error.kind.status == 503:
            headers.append((b"retry-after", b"1"))
        if error.kind.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self.json(error.kind.status, body, headers)

    async def _start(self, status: int, headers: Sequence[Header]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": [*self._headers, *headers]})
        self.started = True

    async def _end(self, body: bytes) -> None:
        self.ended = True
        await self._send({"type": "http.response.body", "body": body})
        self._whole = True

    def _abort(self) -> None:
        self._cut = True
        if self._transport is not None:
            self._transport.abort()
