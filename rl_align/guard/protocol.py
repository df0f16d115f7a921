"""uvicorn's HTTP protocol with bounds that it lacks: time and bytes for a header, bytes for a request, time to read an answer."""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .errors import Code, GuardError
from .outgoing import LINE

_LONGEST_HEAD = 65536
_DROPPING_S = 2
_TOO_LONG = "the request's header is too long"
_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large"}


def bounded(timeout_s: float, max_request_bytes: int) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn's `http=`.

    Args:
        timeout_s: A header must have arrived by then, from the connection or the request's first byte; so must the rest of a body
            that was answered before its end, and so must the client have read the end of an answer.
        max_request_bytes: A connection is cut when a request has sent more, header and refused body included.
    """

    class Bounded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._received = 0
            self._in_head = True
            self._status, self._why = 400, "this is no HTTP request"
            self._refused = False
            self._late = self._unread = self.loop.call_later(timeout_s, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._late.cancel()
            self._unread.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._chunk = len(data)
            self._received += self._chunk
            if not self._refused:
                super().data_received(data)
            if self._received > max_request_bytes:
                self.transport.abort()
            elif self._in_head and self._received > _LONGEST_HEAD and not self._refused:
                self._refuse(431, _TOO_LONG)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope[LINE] = self.transport  # type: ignore[typeddict-unknown-key]
            self._received = self._chunk
            self._in_head = True
            self._limit()

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._late.cancel()
            # All of it may have come at once, with the body behind it.
            if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _LONGEST_HEAD:
                self._status, self._why = 431, _TOO_LONG
                raise ValueError("refused in send_400_response")
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._late.cancel()
            super().on_message_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._unread.cancel()
            if self.transport.get_write_buffer_size():
                self._unread = self.loop.call_later(timeout_s, self._abort_unread)
            if self.cycle.more_body and not self.transport.is_closing():
                self._limit()

        def send_400_response(self, msg: str) -> None:
            self._refuse(self._status, self._why)

        def _abort_unread(self) -> None:
            # A request that came meanwhile has bounds of its own.
            if self.cycle.response_complete and self.transport.get_write_buffer_size():
                self.transport.abort()

        def _limit(self) -> None:
            """Gives the client so much time from now."""
            self._late.cancel()
            self._late = self.loop.call_later(timeout_s, self.transport.abort)

        def _refuse(self, status: int, message: str) -> None:
            """What else comes is dropped for a while: closed at once, a line loses the answer that its client has not read yet."""
            if self._refused or self.transport.is_closing():
                return
            self._refused = True
            if self.cycle is not None and not self.cycle.response_complete:
                # In the middle of another answer.
                self.transport.close()
                return
            body = json.dumps(GuardError(Code.invalid_request, message).body()).encode()
            head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
            self.transport.write_eof()
            self._late.cancel()
            self._late = self.loop.call_later(min(timeout_s, _DROPPING_S), self.transport.abort)

    return Bounded
