"""Who is let in: requests that mean this host, and bring the key where one is needed."""

from __future__ import annotations

import hmac
import ipaddress
import re

from rl_align.endpoints.secret import Secret

from .config import ServerConfig
from .errors import Code, GuardError

_PORT = re.compile(r":\d{1,5}\Z")


class Door:
    """The proxy's door.

    Args:
        cfg: Names under which it is reached.
        key: What clients must send; none for none.
    """

    def __init__(self, cfg: ServerConfig, key: Secret):
        self._expected = key.headers().get("Authorization")
        self._names = {name.lower() for name in cfg.names}
        if not self._names and _loopback(cfg.host):
            self._names = {"localhost", "127.0.0.1", "[::1]", cfg.host.lower(), f"[{cfg.host.lower()}]"}

    def admit(self, host: str, authorization: str | None) -> None:
        """Raises GuardError when the client means another host, or needs a key and has not got it."""
        self.name(host)
        if self._expected is None:
            return
        # The scheme's case says nothing (RFC 9110), nor does the number of blanks behind it.
        scheme, _, token = (authorization or "").partition(" ")
        given = f"Bearer {token.strip()}" if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._expected.encode()):
            raise GuardError(Code.invalid_api_key, "the key is missing or wrong; send it as Authorization: Bearer …")

    def name(self, host: str) -> None:
        """Raises GuardError when the client means another host."""
        if self._names and _PORT.sub("", host.strip().lower()) not in self._names:
            what = "this name is not one of the guard's (server.names); use the address that it listens on"
            raise GuardError(Code.misdirected_request, what)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
