"""What makes two calls the same: SHA-256 over everything that decides the answer, images by their content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .config import EndpointConfig
from .images import Digests
from .lru import Lru
from .types import EndpointError, FailureReason, Message, Sampling

#: Changes whenever equal calls would be sent differently, so that old answers are not taken for new ones.
_FORMAT = 2

#: Characters of messages whose digest is known: siblings, votes and judges are asked with the same ones.
_REMEMBERED = 16 * 2**20

_TEXT = {"type", "text"}
_IMAGE = {"type", "image_url"}
_MESSAGE = {"role", "content", "name"}
_REMOTE = re.compile(r"https?://", re.IGNORECASE)


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


#: JSON in one form for every order of keys. ASCII, so lone surrogates have a form too. Kept, as `json.dumps` builds an encoder anew
#: for every call with such arguments.
encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_as_dict).encode


class Keys:
    """Keys of the calls of one endpoint.

    Args:
        cfg: Whose address (or `identity` in its place), model, form of request and further fields are part of every key.
        image_urls: Take http(s) URLs of images too, by their text.
    """

    def __init__(self, cfg: EndpointConfig, image_urls: bool = False):
        self._digests = Digests()
        self._known: Lru[tuple[Any, ...], bytes] = Lru(_REMEMBERED)
        self._image_urls = image_urls
        place = ["address", cfg.base_url.rstrip("/")] if cfg.identity is None else ["identity", cfg.identity]
        fixed = [_FORMAT, place, cfg.model, cfg.structured.value, cfg.extra]
        self._prefix = hashlib.sha256(encode(fixed).encode("ascii"))

    def key(
        self, messages: Sequence[Message], sampling: Sampling, schema: Mapping[str, Any] | None, version: str, sample: int
    ) -> str:
        """The key of a call, in hexadecimal.

        Raises:
            EndpointError: The messages are not what an endpoint takes, or an image would have to be fetched.
        """
        if not messages:
            raise EndpointError(FailureReason.bad_request, "there are no messages")
        drawn = (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed)
        try:
            parts = [self._digest(m) for m in messages]
            parts.append(encode([len(messages), drawn, schema, version, sample]).encode("ascii"))
        except (TypeError, ValueError, RecursionError):
            raise EndpointError(FailureReason.bad_request, "the messages, the sampling or the schema have no JSON form") from None
        digest = self._prefix.copy()
        digest.update(b"".join(parts))
        return digest.hexdigest()

    def _digest(self, message: Message) -> bytes:
        """SHA-256 of a message. A string keeps its own hash, so looking up one that was seen before costs next to nothing."""
        said = self._message(message)
        content = said["content"]
        known = (said["role"], said.get("name"), content) if isinstance(content, str) else None
        digest = self._known.get(known) if known else None
        if digest is None:
            digest = hashlib.sha256(encode(said).encode("ascii")).digest()
            if known:
                self._known.put(known, digest, len(content))
        return digest

    def _message(self, message: Message) -> Message:
        content = message.get("content") if isinstance(message, Mapping) else None
        if content is None or not message.keys() <= _MESSAGE or not isinstance(message.get("role"), str):
            raise EndpointError(FailureReason.bad_request, "a message has a role, a content, perhaps a name, and nothing else")
        if isinstance(content, str):
            return message
        if not isinstance(content, (list, tuple)):
            raise EndpointError(FailureReason.bad_request, f"the content of a message is {type(content).__name__}")
        return {**message, "content": [self._part(p) for p in content]}

    def _part(self, part: Any) -> Any:
        # Only parts that are known through and through: any other could name something for the endpoint to fetch.
        if isinstance(part, Mapping) and part.get("type") == "text" and part.keys() == _TEXT:
            return part
        if isinstance(part, Mapping) and part.get("type") == "image_url" and part.keys() == _IMAGE:
            image = part["image_url"] if isinstance(part["image_url"], Mapping) else {}
            url = image.get("url")
            if self._image_urls and isinstance(url, str) and _REMOTE.match(url):
                return part
            return {**part, "image_url": {**image, "url": self._digests.of(url)}}
        raise EndpointError(FailureReason.bad_request, "a part of a message is neither text nor an image")
