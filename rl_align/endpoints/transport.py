"""One HTTP request: bounded in time and size, nobody followed, nothing fetched. aiohttp, at a fifth of a millisecond a request."""

from __future__ import annotations

import asyncio
import io

import aiohttp

from .config import EndpointConfig
from .reply import Failure, Reply
from .secret import Secret
from .types import FailureReason

_CHUNK = 65536


class Transport:
    """The connections of one event loop to one endpoint. To be made inside the loop.

    Args:
        cfg: Address, timeouts, longest reply.
        secret: The key, sent with every request.
    """

    def __init__(self, cfg: EndpointConfig, secret: Secret):
        self._url = f"{cfg.base_url.rstrip('/')}/chat/completions"
        self._redact = secret.redact
        self._longest = cfg.max_reply_kb * 1024
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=cfg.connect_timeout_s, sock_read=cfg.read_timeout_s)
        self._session = aiohttp.ClientSession(
            # The endpoint bounds what is under way. Idle connections go before vLLM's server closes them, which it does after 5 s.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2),
            timeout=timeout,
            headers={"Content-Type": "application/json", "User-Agent": "rl_align", **secret.headers()},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def post(self, body: bytes) -> Reply | Failure:
        """Sends a request. What goes wrong is returned, not raised: aiohttp's exceptions carry the headers, and so the key."""
        try:
            # aiohttp sends bytes in one go, which would hold the event loop where they are many.
            data = io.BytesIO(body) if len(body) > 2**20 else body
            async with self._session.post(self._url, data=data, allow_redirects=False) as reply:
                text = await self._read(reply)
                if text is None:
                    what = f"the reply is longer than {self._longest // 1024} kB (max_reply_kb)"
                    return Failure(FailureReason.too_large, what, False)
                return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, text)
        except aiohttp.ConnectionTimeoutError:
            return Failure(FailureReason.timeout, "no connection within connect_timeout_s", True)
        except asyncio.TimeoutError:  # not the builtin before Python 3.11
            return Failure(FailureReason.timeout, "no answer within read_timeout_s", True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(FailureReason.connection, self._redact(f"{type(error).__name__}: {error}")[:300], True)

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    def abandon(self) -> None:
        """Closes what belongs to a loop that no longer runs, where nothing can be awaited."""
        closing = self._session.close()
        try:
            closing.send(None)
        except (StopIteration, RuntimeError):
            pass
        finally:
            closing.close()

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes | None:
        """The body; None when it is too long."""
        if (reply.content_length or 0) > self._longest:
            reply.close()
            return None
        chunks, size = [], 0
        async for chunk in reply.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > self._longest:
                reply.close()
                return None
            chunks.append(chunk)
        return b"".join(chunks)
