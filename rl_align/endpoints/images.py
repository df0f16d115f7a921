"""Images in messages: `data:` URLs or bytes, never anything that somebody would have to fetch."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from .lru import Lru
from .types import EndpointError, FailureReason

#: Memory for images whose digest is known.
_REMEMBERED = 64 * 2**20

_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+);base64,", re.IGNORECASE)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


def image_part(data: bytes) -> dict[str, Any]:
    """The part of a message that shows an encoded image."""
    return {"type": "image_url", "image_url": {"url": data_url(data)}}


def data_url(data: bytes) -> str:
    """An encoded image as a `data:` URL. Raises EndpointError when the bytes are no image of a known format."""
    return f"data:{_media_type(data)};base64,{base64.b64encode(data).decode('ascii')}"


class Digests:
    """Digests of images, each computed once.

    A string or bytes object keeps its own hash, so looking up an image that was seen before costs next to nothing.
    """

    def __init__(self) -> None:
        self._known: Lru[str | bytes, str] = Lru(_REMEMBERED)

    def of(self, url: Any) -> str:
        """Media type and SHA-256 of an image's bytes, whatever it came as.

        Raises:
            EndpointError: Neither a base64 `data:` URL of an image nor the bytes of one.
        """
        if not isinstance(url, (str, bytes)):
            raise EndpointError(FailureReason.bad_request, f"an image is {type(url).__name__}, expected a data: URL or bytes")
        digest = self._known.get(url)
        if digest is None:
            kind, data = (_media_type(url), url) if isinstance(url, bytes) else _decode(url)
            digest = f"{kind}:{hashlib.sha256(data).hexdigest()}"
            self._known.put(url, digest, len(url))
        return digest


def sendable(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a message as JSON can hold it: bytes become a `data:` URL."""
    image = part.get("image_url")
    if isinstance(image, Mapping) and isinstance(image.get("url"), bytes):
        return {**part, "image_url": {**image, "url": data_url(image["url"])}}
    return part


def _decode(url: str) -> tuple[str, bytes]:
    head = _DATA_URL.match(url)
    if head is None:
        # The URL is not shown: it may be signed, or point into a private network.
        what = "an image is given by a URL that somebody would have to fetch, expected data:image/…;base64,…"
        raise EndpointError(FailureReason.bad_request, what)
    try:
        return head[1].lower(), base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise EndpointError(FailureReason.bad_request, "an image's data: URL is not valid base64") from None


def _media_type(data: bytes) -> str:
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise EndpointError(FailureReason.bad_request, "an image's bytes are none of PNG, JPEG, GIF, BMP, WebP")
