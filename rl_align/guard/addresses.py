"""Which network addresses images may be fetched from: public ones, and those that the configuration adds."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Special ranges of IANA's registries, listed because Python's own tables have changed between patch releases; and addresses at
#: which clouds serve credentials. 168.63.129.16 (Azure) looks public.
_NEVER = tuple(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3", "::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"),)


class Addresses:
    """Decides over addresses.

    Args:
        networks: Networks that are let through beside the public ones.
    """

    def __init__(self, networks: Sequence[str] = ()):
        self._also: tuple[Network, ...] = tuple(ipaddress.ip_network(n) for n in networks)

    def allowed(self, text: str) -> bool:
        """Whether a connection to this address may be made. Anything but a plain numeric address may not."""
        try:
            address: Address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is not None:
                return False
            mapped = address.ipv4_mapped
            if mapped is None and any(address in n for n in _NAT64):
                mapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            address = mapped or address
        if any(address.version == n.version and address in n for n in self._also):
            return True
        return (
            address.is_global
            and not address.is_multicast
            and not any(address.version == n.version and address in n for n in _NEVER)
        )
