"""What an endpoint sends back, read without trust: the completion, or what went wrong and whether another try makes sense."""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .types import FailureReason

_QUOTED = 300
_BUSY = {408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}


@dataclass(frozen=True)
class Reply:
    """One HTTP reply: status, headers (names in lower case), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Generated:
    """What was generated. Tokens are None where the endpoint does not say."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Failure:
    """A request without a completion.

    Attributes:
        reason: Why.
        message: For the person who reads it.
        again: Whether another try makes sense.
        after_s: How long the endpoint asks to wait before it.
    """

    reason: FailureReason
    message: str
    again: bool
    after_s: float = 0.0


def read(reply: Reply, redact: Callable[[str], str]) -> Generated | Failure:
    """The completion in a reply, or the failure that it tells of.

    Args:
        reply: The reply.
        redact: Takes the key out of a text; endpoints quote it when they refuse it.
    """
    if reply.status == 200:
        generated = _generated(reply.body)
        # Whatever cut it off may not do so again.
        broken = f"the reply is no chat completion: {_quote(reply.body, redact)}" if generated is None else ""
        return generated or Failure(FailureReason.server, broken, True)
    told = f"the endpoint answered {reply.status}{_explanation(reply.body, redact)}"
    if reply.status == 429:
        # A spent quota does not come back within a call.
        return Failure(FailureReason.rate_limited, told, b"insufficient_quota" not in reply.body, retry_after(reply.headers))
    if reply.status in _BUSY:
        return Failure(FailureReason.server, told, True, retry_after(reply.headers))
    if reply.status == 413:
        return Failure(FailureReason.too_large, told, False)
    if 300 <= reply.status < 400:
        return Failure(FailureReason.bad_request, f"{told}: redirects are not followed, correct base_url", False)
    return Failure(FailureReason.server if reply.status >= 500 else FailureReason.bad_request, told, False)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by `Retry-After` (RFC 9110: seconds or a date) or OpenAI's `retry-after-ms`; 0 without them."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return 0.0


def _generated(body: bytes) -> Generated | None:
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        content, usage = choice["message"].get("content"), data.get("usage") or {}
        if isinstance(content, list):  # some endpoints answer in parts
            content = "".join(part["text"] for part in content if part.get("type") == "text")
        text = str(content or choice["message"].get("refusal") or "")
        tokens = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        reason = str(choice.get("finish_reason") or "stop")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    # Lone surrogates have no UTF-8 form: neither a file nor another endpoint would take them.
    return Generated(text.encode("utf-8", "replace").decode("utf-8"), reason, *tokens)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _explanation(body: bytes, redact: Callable[[str], str]) -> str:
    told: Any = body
    try:
        data = json.loads(body)
        error = data.get("error", data)
        told = str(error["message"] if isinstance(error, dict) else error).encode("utf-8", "replace")
    except (ValueError, LookupError, AttributeError, RecursionError):
        pass
    return f": {_quote(told, redact)}" if told else ""


def _quote(body: bytes, redact: Callable[[str], str]) -> str:
    """The beginning of a text of unknown origin, in one printable line."""
    # Cut last: half a key would not be recognised.
    text = " ".join(redact(body.decode("utf-8", "replace")).split())[:_QUOTED]
    return "".join(c if c.isprintable() else "?" for c in text)
