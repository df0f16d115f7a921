"""Images of an item as parts of a chat message. An image reaches a judge in no other way."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from rl_align.schema import Item

_SIGNATURES = ((b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))


def image_bytes(item: Item) -> list[bytes]:
    """The encoded images, in order. Raises OSError when one cannot be read."""
    return [image.read() for image in item.images]


def image_parts(images: list[bytes]) -> list[dict[str, Any]]:
    """One `image_url` part with a data URL for each image."""
    return [{"type": "image_url", "image_url": {"url": _url(data)}} for data in images]


def user_message(text: str, images: list[bytes]) -> dict[str, Any]:
    """A user's message. Without images its content is plain text: some text-only servers take no parts."""
    return {"role": "user", "content": [*image_parts(images), {"type": "text", "text": text}] if images else text}


# A group of rollouts shows the same image to several judges, one after another.
@lru_cache(maxsize=32)
def _url(data: bytes) -> str:
    kind = next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)
    if kind is None:
        kind = "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
