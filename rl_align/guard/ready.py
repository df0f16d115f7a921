"""Whether rewriter and target can be reached, for whoever sends requests here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp

from rl_align.endpoints.secret import Secret

_TIMEOUT_S = 2.0
#: An answer holds so long: nobody makes the guard ask more often.
_FRESH_S = 1.0


class Readiness:
    """Asks endpoints for their models.

    Args:
        endpoints: Name → base URL and key.
        clients_keys: Names of endpoints to which clients send keys of their own: they may refuse ours, which is none.
    """

    def __init__(self, endpoints: Mapping[str, tuple[str, Secret]], clients_keys: frozenset[str] = frozenset()):
        self._endpoints = endpoints
        self._clients_keys = clients_keys
        self._asking = asyncio.Lock()
        self._known: dict[str, bool] = {}
        self._until = 0.0

    async def ask(self) -> dict[str, bool]:
        """Which of them answer."""
        async with self._asking:
            if time.monotonic() > self._until:
                timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
                async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
                    answers = await asyncio.gather(*(self._answers(session, name) for name in self._endpoints))
                self._known = dict(zip(self._endpoints, answers, strict=True))
                self._until = time.monotonic() + _FRESH_S
            return self._known

    async def _answers(self, session: aiohttp.ClientSession, name: str) -> bool:
        url, secret = self._endpoints[name]
        try:
            async with session.get(f"{url.rstrip('/')}/models", headers=secret.headers(), allow_redirects=False) as reply:
                # Some endpoints list no models; that they say so is enough.
                return reply.status < 500 and (reply.status not in (401, 403) or name in self._clients_keys)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError):
            return False
