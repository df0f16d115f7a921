"""One reply of the target: bounded, handed on as it comes, and its errors told in our words."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from rl_align.endpoints.secret import Secret

from .errors import Code, GuardError
from .stream import Watch, error_of

#: What is passed on of a reply's header.
_PASSED = ("retry-after", "retry-after-ms", "x-should-retry")
_PLAIN = re.compile(r"[ -~]{1,100}")
#: A kind of error. Without digits and dots, so that it is no address.
_KIND = re.compile(r"[A-Za-z_]{1,64}")
_QUOTED = 1000
_SAID = {
    400: "the target does not take this request",
    401: "the target does not accept the client's key",
    403: "the target does not accept the client's key",
    404: "the target knows no such model or path",
    413: "the request is too large for the target",
    422: "the target does not take this request",
    429: "the target has too many requests; try again later",
}
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_CHUNK = 65536


class UpstreamReply:
    """One reply of the target, its body not read yet.

    Attributes:
        status: HTTP status.
        streams: Whether the body is a stream of events.
    """

    def __init__(self, reply: aiohttp.ClientResponse, longest: int, secrets: Sequence[Secret], clients_key: bool):
        self._reply = reply
        self._longest = longest
        self._secrets = secrets
        self.status = reply.status
        self.streams = reply.status == 200 and reply.content_type == "text/event-stream"
        if reply.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise GuardError(Code.upstream_failed, "the target's reply is compressed, which was not asked for")
        if 300 <= reply.status < 400:
            what = "the target redirects, which is not followed; correct upstream.base_url"
            raise GuardError(Code.upstream_failed, what, detail=f"status {reply.status}")
        if reply.status in (401, 403) and not clients_key:
            raise GuardError(Code.upstream_key_refused, "the target does not accept the guard's key, or wants one")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What of its header is passed on."""
        found = ((name, self._reply.headers.get(name, "")) for name in _PASSED)
        return [(name.encode(), value.encode()) for name, value in found if _PLAIN.fullmatch(value)]

    async def read(self, take: Callable[[int], None] = lambda count: None) -> bytes:
        """The whole body. Raises GuardError when it is too long.

        Args:
            take: Called with every number of bytes before they are kept; may raise.
        """
        chunks, size = [], 0
        async for chunk in self._reply.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > self._longest:
                raise GuardError(Code.upstream_failed, "the target's reply is longer than upstream.max_reply_mb")
            take(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    def check(self, content: bytes) -> None:
        """Raises GuardError when a whole answer is no JSON object, or the report of an error."""
        if not content.lstrip()[:1] == b"{":
            raise GuardError(Code.upstream_failed, "the target's reply is no JSON object; is upstream.base_url right?")
        if (error := error_of(content)) is not None:
            raise self._reported(error)

    async def events(self) -> AsyncIterator[bytes]:
        """The events of a stream as they come, as bytes, never half of one.

        Raises:
            GuardError: The stream reports an error, ends before the answer does, or an event is too long.
        """
        watch = Watch()
        async for events in self._whole_events():
            events, error = watch.look(events)
            if events:
                yield events
            if error is not None:
                raise self._reported(error)
        if not watch.ended:
            raise GuardError(Code.upstream_failed, "the target's stream ended before its answer did", detail="no [DONE]")

    async def _whole_events(self) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self._reply.content.iter_any():
            # An end may be split over two chunks.
            seen = max(0, len(rest) - 3)
            rest += chunk
            end = max((i + len(mark) for mark in _ENDS if (i := rest.rfind(mark, seen)) >= 0), default=0)
            if end:
                yield rest[:end]
                rest = rest[end:]
            if len(rest) > self._longest:
                raise GuardError(Code.upstream_failed, "an event of the target's stream is longer than upstream.max_reply_mb")
        if rest.strip():
            raise GuardError(Code.upstream_failed, "the target's stream ended within an event")

    def error(self, body: bytes) -> tuple[bytes, str]:
        """A reply that is an error: a body in OpenAI's form for the client, and the target's own words for the log.

        The client is told what kind of error it is, in our words: the target's may hold addresses, or our key.
        """
        try:
            data = json.loads(body)
            error = data.get("error", data)
        except (ValueError, AttributeError, RecursionError):
            error = None
        told = error if isinstance(error, dict) else {"message": error}
        what = _SAID.get(self.status, "the target cannot answer" if self.status >= 500 else "the target does not take this request")
        fields = {"message": f"{what} (it answered {self.status})", "type": "upstream_error", "param": None, "code": None}
        for name in ("type", "param", "code"):
            value = told.get(name)
            if isinstance(value, str) and _KIND.fullmatch(self._redacted(value)):
                fields[name] = value
        if isinstance(told.get("code"), int):
            fields["code"] = told["code"]
        return json.dumps({"error": fields}).encode(), self._words(told)

    def _reported(self, error: Any) -> GuardError:
        """An error that came where an answer was due."""
        told = error if isinstance(error, dict) else {"message": error}
        status = told.get("code")
        status = f" (it says {status})" if isinstance(status, int) and 400 <= status < 600 else ""
        return GuardError(Code.upstream_failed, f"the target reported an error in its answer{status}", detail=self._words(told))

    def _words(self, error: Mapping[str, Any]) -> str:
        words = error.get("message")
        # Cut last: half a key would not be recognised.
        return f"status {self.status}" + (f", {self._redacted(words)[:_QUOTED]}" if isinstance(words, str) and words else "")

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = secret.redact(text)
        return text
