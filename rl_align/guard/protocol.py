"""uvicorn's HTTP protocol with bounds that it lacks: time and bytes for a request's header, bytes for a whole request."""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .errors import Code, GuardError

_LONGEST_HEAD = 65536
_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large"}


def bounded(timeout_s: float, max_request_bytes: int) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn's `http=`.

    Args:
        timeout_s: A header must have arrived by then, from the connection or the request's first byte; so must the rest of a body
            that was answered before its end.
        max_request_bytes: A connection is cut when a request has sent more, header and refused body included.
    """

    class Bounded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._received = 0
            self._in_head = True
            self._late = self.loop.call_later(timeout_s, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._late.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._chunk = len(data)
            self._received += self._chunk
            super().data_received(data)
            if self._received > max_request_bytes:
                self.transport.abort()
            elif self._in_head and self._received > _LONGEST_HEAD and not self.transport.is_closing():
                self._refuse(431, "the request's header is too long")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._received = self._chunk
            self._in_head = True
            self._limit()

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._late.cancel()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._late.cancel()
            super().on_message_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.more_body and not self.transport.is_closing():
                self._limit()

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, "this is no HTTP request")

        def _limit(self) -> None:
            """Gives the client so much time from now."""
            self._late.cancel()
            self._late = self.loop.call_later(timeout_s, self.transport.abort)

        def _refuse(self, status: int, message: str) -> None:
            body = json.dumps(GuardError(Code.invalid_request, message).body()).encode()
            head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
            self.transport.close()

    return Bounded
