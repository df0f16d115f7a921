"""One HTTP answer on its way to a client: JSON, a stream of events, or an error in the form that fits what was already sent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from .errors import GuardError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class Outgoing:
    """An answer.

    Args:
        send: ASGI's.
        headers: Sent with every answer.
    """

    def __init__(self, send: Send, headers: Sequence[Header] = ()):
        self._send = send
        self._headers = list(headers)
        self.started = False
        self.ended = False

    def add(self, name: str, value: str) -> None:
        """One more header, of our own making."""
        self._headers.append((name.encode("ascii"), value.encode("ascii")))

    async def json(self, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
        """A whole answer."""
        about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._start(status, [*about, *headers])
        self.ended = True
        await self._send({"type": "http.response.body", "body": body})

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
        self.ended = True
        await self._send({"type": "http.response.body", "body": b""})

    async def error(self, error: GuardError) -> None:
        """The error as an answer, or as the last event of a stream; nothing when the answer has ended."""
        if self.ended:
            return
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
