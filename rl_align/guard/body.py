"""A request's body, read without trust: bounded in bytes, in time and in the number of its values."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn

from .config import ServerConfig
from .errors import Code, GuardError
from .fields import check
from .room import Lease

#: So many longest requests are read of one request, for its client to get to read why it is refused. Then the line is cut.
READ_TO_REFUSE = 4

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Gone(Exception):
    """The client has hung up."""


async def read_body(receive: Receive, length: str | None, cfg: ServerConfig, lease: Lease) -> bytes:
    """The whole body.

    Of one that is too long the rest is read and dropped, so that the client gets to read the refusal; `guard/protocol.py` ends
    what has no end.

    Args:
        receive: ASGI's.
        length: The `Content-Length`, if there is one.
        cfg: Limits.
        lease: Pays for the bytes.

    Raises:
        GuardError: Too long, too slow, or no room.
        Gone: The client has hung up.
    """
    most = int(cfg.max_body_mb * 2**20)
    # Its digits are counted first: a number of a thousand digits is slow to read.
    announced = int(length) if length is not None and length.isdecimal() and len(length) < 20 else 0
    if announced > READ_TO_REFUSE * most:
        raise _too_large(cfg)
    refusal = _too_large(cfg) if announced > most else None
    try:
        return await asyncio.wait_for(_read(receive, most, refusal, cfg, lease), cfg.body_timeout_s)
    except asyncio.TimeoutError:
        what = f"the request had not arrived after {cfg.body_timeout_s:g} s"
        raise GuardError(Code.request_timeout, what) from None


async def _read(receive: Receive, most: int, refusal: GuardError | None, cfg: ServerConfig, lease: Lease) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if refusal is None and size > most:
            refusal = _too_large(cfg)
        if refusal is None:
            try:
                lease.take(len(chunk))
                chunks.append(chunk)
            except GuardError as error:
                refusal = error
        else:
            chunks.clear()
    if refusal is not None:
        raise refusal
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse(body: bytes, cfg: ServerConfig) -> dict[str, Any]:
    """The request as a JSON object.

    Raises:
        GuardError: No JSON, no object, more values than may be, or a field that is not passed on.
    """
    # A value of three bytes takes a hundred in memory. Images and prose have few of these characters.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > cfg.max_values:
        raise GuardError(Code.invalid_json, f"the request holds more than {cfg.max_values} values or so")
    try:
        data = json.loads(body, parse_constant=_no_json, parse_float=_finite)
    except json.JSONDecodeError as error:
        # The text around the place is not shown: an error must not quote what somebody wrote.
        what = f"the request is no JSON: {error.msg} at character {error.pos}"
        raise GuardError(Code.invalid_json, what) from None
    except RecursionError:
        raise GuardError(Code.invalid_json, "the request is nested too deeply") from None
    except (ValueError, UnicodeDecodeError):
        raise GuardError(Code.invalid_json, "the request is no JSON in UTF-8, or holds a number that is out of range") from None
    if not isinstance(data, dict):
        raise GuardError(Code.invalid_json, "the request is no JSON object")
    if not isinstance(data.get("model"), str):
        raise GuardError(Code.invalid_request, "model is missing; expected the name of a model", param="model")
    if not isinstance(data.get("stream", False), bool) and data["stream"] is not None:
        raise GuardError(Code.invalid_request, "stream is neither true nor false", param="stream")
    check(data, cfg.pass_fields)
    return data


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # 1e999 is a number in JSON and none that could be sent on
        raise ValueError(text)
    return number


def _too_large(cfg: ServerConfig) -> GuardError:
    return GuardError(Code.request_too_large, f"the request is too large; expected at most {cfg.max_body_mb:g} MB")
