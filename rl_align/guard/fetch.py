"""Images fetched from URLs that a stranger wrote: nothing but public addresses is ever connected to.

A name is resolved once, every address is checked, and the connection goes to those addresses; the socket checks again, whatever led
to it: a numeric host, another spelling of one, a redirect, a name that resolves differently the second time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from .addresses import Addresses
from .config import ImagesConfig
from .errors import Code, GuardError
from .urls import Urls, private

_CHUNK = 65536
_THREADS = 8
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "rl_align-guard", "Accept": "image/png,image/jpeg,image/webp,image/gif", "Accept-Encoding": "identity"}

#: What `socket.getaddrinfo` returns, by host and port.
Lookup = Callable[[str, int], list]


class _Forbidden(OSError):
    """An address that is not connected to."""


class _Slow(OSError):
    """A name that takes too long to resolve."""


class Fetcher:
    """Fetches images. To be made inside the event loop that uses it.

    Args:
        cfg: From where, how many at a time, how long.
        max_bytes: Longest image.
        lookup: Resolves names, blocking; the system's resolver by default.
    """

    def __init__(self, cfg: ImagesConfig, max_bytes: int, lookup: Lookup | None = None):
        self._cfg = cfg
        self._max_bytes = max_bytes
        self._addresses = Addresses(cfg.networks)
        self._urls = Urls(cfg, self._addresses)
        self._slots = asyncio.Semaphore(cfg.fetches)
        # Threads of its own: names that take long to resolve must not hold up those of rewriter and target. More than fetches: a
        # thread whose name took too long goes on waiting when its fetch has ended.
        self._threads = ThreadPoolExecutor(_THREADS * cfg.fetches, "guard-resolver")
        resolver = _Resolver(self._addresses, self._threads, lookup or _system_lookup, cfg.resolve_timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, force_close=True, use_dns_cache=False, resolver=resolver, socket_factory=self._socket
            ),
            timeout=aiohttp.ClientTimeout(total=cfg.fetch_timeout_s),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            # A compressed reply could grow a thousandfold.
            auto_decompress=False,
            trust_env=False,
        )

    async def fetch(self, url: str, take: Callable[[int], None], param: str | None = None) -> bytes:
        """The bytes behind a URL; nobody has looked at them yet.

        Args:
            url: http or https.
            take: Called with every number of bytes before they are kept; may raise.
            param: Where the request has it, for the error.

        Raises:
            GuardError: An address that is not fetched from, a failure, too many bytes, too much time.
        """
        try:
            return await asyncio.wait_for(self._in_turn(url, take, param), self._cfg.fetch_timeout_s)
        except asyncio.TimeoutError:
            raise _failed(f"it took longer than {self._cfg.fetch_timeout_s:g} s", param) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _Forbidden):
                raise private(param) from None
            if isinstance(error.os_error, _Slow):
                raise _failed(f"its host's name was not resolved within {self._cfg.resolve_timeout_s:g} s", param) from None
            raise _failed("its host cannot be reached", param, type(error).__name__) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed("the connection failed", param, type(error).__name__) from None

    async def close(self) -> None:
        """Closes the connections and lets the threads go."""
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(self, url: str, take: Callable[[int], None], param: str | None) -> bytes:
        async with self._slots:
            return await self._follow(url, take, param)

    async def _follow(self, text: str, take: Callable[[int], None], param: str | None) -> bytes:
        url = self._urls.checked(text, None, param)
        for _ in range(self._cfg.redirects + 1):
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status in _REDIRECTS:
                    url = self._urls.checked(reply.headers.get("Location", ""), url, param)
                    continue
                if reply.status != 200:
                    raise _failed(f"the server answered {reply.status}", param)
                if reply.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                    raise _failed("the server answered compressed, which was not asked for", param)
                return await self._read(reply, take, param)
        raise _failed(f"it leads through more than {self._cfg.redirects} redirects", param)

    async def _read(self, reply: aiohttp.ClientResponse, take: Callable[[int], None], param: str | None) -> bytes:
        chunks, size = [], 0
        if (reply.content_length or 0) > self._max_bytes:
            raise self._too_large(param)
        async for chunk in reply.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large(param)
            take(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self, param: str | None) -> GuardError:
        what = f"the image is too large; expected at most {self._cfg.max_mb:g} MB"
        return GuardError(Code.image_too_large, what, param=param)

    def _socket(self, address: tuple) -> socket.socket:
        family, kind, protocol, _, place = address
        if not self._addresses.allowed(str(place[0])):
            raise _Forbidden("not a public address")
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    def __init__(self, addresses: Addresses, threads: ThreadPoolExecutor, lookup: Lookup, timeout_s: float):
        self._addresses = addresses
        self._threads = threads
        self._lookup = lookup
        self._timeout_s = timeout_s

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        looking = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port)
        try:
            found = await asyncio.wait_for(looking, self._timeout_s)
        except asyncio.TimeoutError:
            raise _Slow from None
        # One bad address is enough: whoever answers with both is up to something.
        if not all(self._addresses.allowed(str(place[0])) for *_, place in found):
            raise _Forbidden("not a public address")
        return [
            ResolveResult(hostname=host, host=place[0], port=port, family=family, proto=protocol, flags=socket.AI_NUMERICHOST)
            for family, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        pass


def _system_lookup(host: str, port: int) -> list:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _failed(why: str, param: str | None, detail: str = "") -> GuardError:
    return GuardError(Code.invalid_image_url, f"the image could not be fetched: {why}", param=param, detail=detail)
