"""The connections to the target behind the proxy. aiohttp, no redirects; no request is sent twice that may have been heard."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace

import aiohttp

from rl_align.endpoints.secret import Secret

from .config import UpstreamConfig
from .errors import Code, GuardError
from .upstream_reply import UpstreamReply

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
            trace_configs=[_noting_reuse()],
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
        async with self._reply("POST", "/chat/completions", authorization, body) as reply:
            yield reply

    async def models(self, authorization: str | None) -> tuple[int, bytes]:
        """Status and body of `/models`. Raises GuardError."""
        async with self._reply("GET", "/models", authorization) as reply:
            body = await reply.read()
            return reply.status, body if reply.status == 200 else reply.error(body)[0]

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    async def _open(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> aiohttp.ClientResponse:
        for again in (True, False):
            # aiohttp sends bytes in one go, which would hold the event loop where they are many.
            data = io.BytesIO(body) if body is not None and len(body) > _LARGE else body
            line = SimpleNamespace(reused=False)
            try:
                return await self._session.request(
                    method, self._url + path, headers=headers, data=data, allow_redirects=False, trace_request_ctx=line
                )
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # The target may have closed an idle connection in the very moment in which it was used again. On a new one it
                # has got the request, and may have begun to answer it.
                if not (again and line.reused):
                    raise
        raise AssertionError

    @asynccontextmanager
    async def _reply(
        self, method: str, path: str, authorization: str | None, body: bytes | None = None
    ) -> AsyncIterator[UpstreamReply]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        secrets = [self._secret]
        if authorization is not None and self._cfg.forward_authorization:
            headers["Authorization"] = authorization
            secrets.append(Secret(authorization.rpartition(" ")[2]))
        try:
            async with await self._open(method, path, headers, body) as reply:
                yield UpstreamReply(reply, self._longest, secrets, self._cfg.forward_authorization)
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


def _noting_reuse() -> aiohttp.TraceConfig:
    """Notes on a request's `trace_request_ctx` that it went over a connection that had been used before."""

    async def note(session: aiohttp.ClientSession, context: SimpleNamespace, about: object) -> None:
        context.trace_request_ctx.reused = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace
