"""Which URLs of images are taken, as far as their text tells: what their names lead to is seen when they are fetched."""

from __future__ import annotations

import re
import socket

from yarl import URL

from .addresses import Addresses
from .config import ImagesConfig
from .errors import Code, GuardError

_LONGEST = 8192
#: What different readers of a URL read differently.
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
#: Spellings of IPv4 addresses that resolvers take beside the usual one: 2130706433, 0x7f.1, 0.
_NUMERIC = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


class Urls:
    """Decides over URLs.

    Args:
        cfg: Ports, hosts.
        addresses: Decides over numeric hosts.
    """

    def __init__(self, cfg: ImagesConfig, addresses: Addresses):
        self._addresses = addresses
        self._ports = cfg.ports
        self._hosts = {host.lower() for host in cfg.hosts}

    def checked(self, text: str, base: URL | None = None, param: str | None = None) -> URL:
        """The URL, if it is one to fetch from.

        Args:
            text: The URL.
            base: The one that redirected to it.
            param: Where the request has it, for the error.

        Raises:
            GuardError: It is none.
        """
        try:
            url = URL(text) if base is None else base.join(URL(text))
            host, port = url.host, url.port
        except ValueError:
            host = None
        if not host or len(text) > _LONGEST or url.scheme not in ("http", "https"):
            raise forbidden("it is no http(s) URL", param)
        if url.user is not None or url.password is not None:
            raise forbidden("it holds a user or a password", param)
        if base is not None and base.scheme == "https" and url.scheme == "http":
            raise forbidden("it redirects from https to http", param)
        if port not in self._ports:
            raise forbidden(f"its port is not one of {', '.join(map(str, self._ports))} (images.ports)", param)
        if self._hosts and host.lower() not in self._hosts:
            raise forbidden("its host is not on the list (images.hosts)", param)
        address = _address(host)
        if address is not None and not self._addresses.allowed(address):
            raise private(param)
        return url

    def forwarded(self, text: str, param: str | None = None) -> str:
        """The URL as it came, if it may be handed on for others to fetch. Raises GuardError."""
        if _ODD.search(text):
            raise forbidden("it is no http(s) URL", param)
        self.checked(text, None, param)
        return text


def forbidden(why: str, param: str | None) -> GuardError:
    """The error of a URL that is not fetched."""
    # The URL is not shown: it may be signed, or name a host of a private network.
    return GuardError(Code.invalid_image_url, f"the image's URL is not fetched: {why}", param=param)


def private(param: str | None) -> GuardError:
    """The error of a URL that leads into a private network."""
    return forbidden("its host has an address that is not public", param)


def _address(host: str) -> str | None:
    """The address that a host spells out; None for a name."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return "127.0.0.1"
    if ":" in host:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(name)) if _NUMERIC.fullmatch(name) else None
    except OSError:
        return None
