"""The target behind the proxy: its replies opened, bounded, and its errors put into OpenAI's form. aiohttp, no redirects."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from rl_align.endpoints.secret import Secret

from .config import UpstreamConfig
from .errors import Code, GuardError

#: What is passed on of a reply's header.
_PASSED = ("retry-after", "retry-after-ms", "x-should-retry")
_PLAIN = re.compile(r"[ -~]{1,100}")
_QUOTED = 4000
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_CHUNK = 65536
_LARGE = 2**20


class Upstream:
    """The connections to the target. To be made inside the event loop that uses it.

    Args:
        cfg: Address, key, timeouts.
        secret: The target's key.
    """

    def __init__(self, cfg: UpstreamConfig, secret: Secret):
        self._cfg = cfg
        self._secret = secret
        self._url = cfg.base_url.rstrip("/")
        self._longest = int(cfg.max_reply_mb * 2**20)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=cfg.connect_timeout_s, sock_read=cfg.read_timeout_s)
        self._session = aiohttp.ClientSession(
            # Idle connections go before vLLM's server closes them, which it does after 5 s.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2),
            timeout=timeout,
            headers={"User-Agent": "rl_align-guard", "Accept-Encoding": "identity", **secret.headers()},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_CHUNK,
        )

    @asynccontextmanager
    async def chat(self, body: bytes, authorization: str | None) -> AsyncIterator[UpstreamReply]:
        """The reply to a chat; its body comes while the block lasts.

        Args:
            body: The request, as JSON.
            authorization: The client's own `Authorization`; sent on only where the configuration says so.

        Raises:
            GuardError: The target cannot be reached or does not answer; also inside the block, while its reply is read.
        """
        headers = {"Content-Type": "application/json"}
        if authorization is not None and self._cfg.forward_authorization:
            headers["Authorization"] = authorization
        async with self._reply("POST", "/chat/completions", headers, body) as reply:
            yield reply

    async def models(self, authorization: str | None) -> tuple[int, bytes]:
        """Status and body of `/models`. Raises GuardError."""
        headers = {"Authorization": authorization} if authorization is not None and self._cfg.forward_authorization else {}
        async with self._reply("GET", "/models", headers) as reply:
            body = await reply.read()
            return reply.status, body if reply.status == 200 else reply.error(body)

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def _open(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> aiohttp.ClientResponse:
        for again in (True, False):
            # aiohttp sends bytes in one go, which would hold the event loop where they are many.
            data = io.BytesIO(body) if body is not None and len(body) > _LARGE else body
            try:
                return await self._session.request(method, self._url + path, headers=headers, data=data, allow_redirects=False)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # The target may have closed a connection in the very moment in which it was used again.
                if not again:
                    raise
        raise AssertionError

    @asynccontextmanager
    async def _reply(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[UpstreamReply]:
        try:
            async with await self._open(method, path, headers, body) as reply:
                yield UpstreamReply(reply, self._longest, self._secret, self._cfg.forward_authorization)
        except aiohttp.ConnectionTimeoutError:
            raise GuardError(Code.upstream_timeout, "no connection to the target within upstream.connect_timeout_s") from None
        except asyncio.TimeoutError:
            what = f"the target was silent for {self._cfg.read_timeout_s:g} s (upstream.read_timeout_s)"
            raise GuardError(Code.upstream_timeout, what) from None
        except aiohttp.ClientConnectorError as error:
            raise GuardError(Code.upstream_unreachable, "the target cannot be reached", detail=type(error).__name__) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # aiohttp's exceptions carry the headers, and so the key: only their kind is told.
            raise GuardError(Code.upstream_failed, "the connection to the target broke", detail=type(error).__name__) from None


class UpstreamReply:
    """One reply of the target, its body not read yet.

    Attributes:
        status: HTTP status.
        streams: Whether the body is a stream of events.
    """

    def __init__(self, reply: aiohttp.ClientResponse, longest: int, secret: Secret, clients_key: bool):
        self._reply = reply
        self._longest = longest
        self._secret = secret
        self._clients_key = clients_key
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

    async def events(self) -> AsyncIterator[bytes]:
        """The events of a stream as they come, as bytes, never half of one. Raises GuardError when one is too long."""
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

    def error(self, body: bytes) -> bytes:
        """The body of a reply that is an error, in OpenAI's form and without our key."""
        try:
            data = json.loads(body)
            error = data.get("error", data)
        except (ValueError, AttributeError, RecursionError):
            error = None
        told: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
        fields: dict[str, Any] = {
            "message": f"the target answered {self.status}",
            "type": "upstream_error",
            "param": None,
            "code": None,
        }
        for name in fields:
            value = told.get(name)
            if isinstance(value, str) and value:
                # Cut last: half a key would not be recognised.
                fields[name] = self._secret.redact(value)[:_QUOTED]
        if isinstance(told.get("code"), int):
            fields["code"] = told["code"]
        return json.dumps({"error": fields}).encode()
