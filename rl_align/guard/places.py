"""How many requests are under way, all together and from one address.

There is no line: who waits without an answer is worse off than who is sent away.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Code, GuardError


class Places:
    """The places of a proxy.

    Args:
        most: Requests under way.
        per_peer: Requests from one address, under way or still arriving; 0 for no limit.
        changed: Called with the number under way whenever it changes.
    """

    def __init__(self, most: int, per_peer: int, changed: Callable[[int], None]):
        self._most = most
        self._per_peer = per_peer
        self._changed = changed
        self._under_way = 0
        self._peers: Counter[str] = Counter()

    @contextmanager
    def arriving(self, address: str | None) -> Iterator[None]:
        """While a request is here, from its header on. It takes nobody's place yet: what is announced may never arrive.

        Args:
            address: The client's; None where there is none.

        Raises:
            GuardError: There would be no place, or its address has too many requests.
        """
        self._refuse_if_full()
        peer = _peer(address) if self._per_peer else ""
        if self._per_peer and self._peers[peer] >= self._per_peer:
            what = f"{self._per_peer} requests of this client are under way, as many as the guard takes; try again later"
            raise GuardError(Code.overloaded, what)
        self._peers[peer] += 1
        try:
            yield
        finally:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]

    @contextmanager
    def place(self) -> Iterator[None]:
        """While a request that has arrived is under way. Raises GuardError when there is no place."""
        self._refuse_if_full()
        self._under_way += 1
        self._changed(self._under_way)
        try:
            yield
        finally:
            self._under_way -= 1
            self._changed(self._under_way)

    def _refuse_if_full(self) -> None:
        if self._under_way >= self._most:
            what = f"{self._under_way} requests are under way, as many as the guard takes; try again later"
            raise GuardError(Code.overloaded, what)


def _peer(address: str | None) -> str:
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    # Whoever has one address of IPv6 has the other ones of its network as well.
    return str(ip if ip.version == 4 else ipaddress.ip_network((int(ip), 64), strict=False))
