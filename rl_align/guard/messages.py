"""One message of a chat, read without trust: only what the guard can look at, replace or show to the rewriter is let through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import Code, GuardError

Message = Mapping[str, Any]

#: The keys of a message, by role. Templates write a role out, so another word would be text that nobody looked at, or a turn of the
#: user's under another name; and some write out keys that the role does not have.
_SAID = {"role", "content", "name"}
_KEYS: Mapping[str, set[str]] = {
    "system": _SAID,
    "developer": _SAID,
    "user": _SAID,
    "assistant": _SAID | {"refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"},
    "tool": _SAID | {"tool_call_id"},
    "function": _SAID,
}
_TEXTS = ("reasoning", "reasoning_content", "refusal")
_CALLS: Mapping[str, type] = {"tool_calls": list, "function_call": dict}
#: What parts may hold. Anything more could name something that the target fetches, or an image that it has cached.
_TEXT = {"type", "text", "cache_control"}
_IMAGE = {"type", "image_url", "cache_control"}
_REFUSAL = {"type", "refusal"}
_IMAGE_URL = {"url", "detail"}
#: Parts that reach the target unseen where the configuration lets them. Each holds one field, of its own name.
_OTHER = ("input_audio", "audio_url", "video_url", "file")

#: OpenAI's own rule. Some templates write the name out.
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
_CALL_ID = re.compile(r"[^\s<|>]{1,256}")
_SHOWN = re.compile(r"[A-Za-z0-9_]{1,40}")


@dataclass(frozen=True)
class ImageSite:
    """Where an image stands: indices of message and part, and its URL (or bytes, from a library's caller)."""

    message: int
    part: int
    url: str | bytes

    @property
    def param(self) -> str:
        """The place, for error messages."""
        return f"messages[{self.message}].content[{self.part}].image_url.url"


def read(message: Any, i: int, allow_other: bool = False) -> list[ImageSite]:
    """The images of a message that may be let through.

    Args:
        message: The message.
        i: Its place in the chat, for errors.
        allow_other: Let parts through that are neither text nor images.

    Raises:
        GuardError: No message, or something in it that the guard could not look at.
    """
    keys = _KEYS.get(message["role"]) if isinstance(message, Mapping) and isinstance(message.get("role"), str) else None
    if keys is None:
        raise invalid("is no message", f"messages[{i}]", f'an object with "content" and a "role" of {", ".join(_KEYS)}')
    for key, value in message.items():
        # Clients send an answer back with every field that it had, most of them empty.
        if key not in keys and value not in (None, "", [], {}):
            raise _unknown(key, i, keys)
    _match(message, i, "name", _NAME, r"at most 64 characters without spaces, <, |, \, / or >")
    if "tool_call_id" in keys:
        _match(message, i, "tool_call_id", _CALL_ID, "at most 256 characters without spaces, <, | or >")
    for key in _TEXTS:
        if message.get(key) and not isinstance(message[key], str):
            raise invalid("is no text", f"messages[{i}].{key}", "a string")
    for key, kind in _CALLS.items():
        if message.get(key) and not isinstance(message[key], kind):
            raise invalid("is no call", f"messages[{i}].{key}", "what the assistant sent")
    return list(_images(message, i, allow_other))


def text(message: Message) -> str:
    """Everything that a message says, a line each: reasoning, text, refusals, and calls of tools as JSON."""
    said = [message.get("reasoning"), message.get("reasoning_content")]
    content = message.get("content")
    if isinstance(content, str):
        said.append(content)
    elif content is not None:
        said += [part.get("text") or part.get("refusal") for part in content if part.get("type") in ("text", "refusal")]
    said.append(message.get("refusal"))
    said += [json.dumps(message[key], ensure_ascii=False, default=str) for key in _CALLS if message.get(key)]
    return "\n".join(str(words) for words in said if words)


def empty(message: Message, said: str) -> bool:
    """Whether nothing can be read or seen in a message.

    Args:
        message: The message.
        said: Its `text`.
    """
    content = message.get("content")
    other = content is not None and not isinstance(content, str) and any(p.get("type") not in ("text", "refusal") for p in content)
    return not other and not said.strip()


def calls(message: Message) -> bool:
    """Whether a message calls a tool."""
    return any(message.get(key) for key in _CALLS)


def invalid(what: str, param: str, expected: str) -> GuardError:
    """The error of a field that is not what it should be."""
    return GuardError(Code.invalid_request, f"{param} {what}; expected {expected}", param=param)


def _images(message: Message, i: int, allow_other: bool) -> Iterator[ImageSite]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise invalid("is neither text nor a list of parts", f"messages[{i}].content", "a string or a list")
    for j, part in enumerate(content):
        where = f"messages[{i}].content[{j}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str) and part.keys() <= _TEXT:
            continue
        if kind == "image_url" and part.keys() <= _IMAGE:
            image = part.get("image_url")
            if not isinstance(image, Mapping) or not isinstance(image.get("url"), (str, bytes)) or not image.keys() <= _IMAGE_URL:
                raise invalid("is no image", f"{where}.image_url", 'an object with "url", perhaps "detail"')
            yield ImageSite(i, j, image["url"])
        elif kind == "refusal" and message["role"] == "assistant":
            if not isinstance(part.get("refusal"), str) or not part.keys() <= _REFUSAL:
                raise invalid("is no refusal", where, 'an object with "refusal"')
        elif not (allow_other and kind in _OTHER and part.keys() <= {"type", kind}):
            what = "this part is not one that the guard can look at; expected text or image_url, with no further fields"
            raise GuardError(Code.unsupported_content, what, param=where)


def _match(message: Message, i: int, key: str, pattern: re.Pattern[str], expected: str) -> None:
    value = message.get(key)
    if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise invalid(f"is no {key}", f"messages[{i}].{key}", expected)


def _unknown(key: Any, i: int, keys: set[str]) -> GuardError:
    # Not shown when it is more than a name: it is the client's text.
    name = key if isinstance(key, str) and _SHOWN.fullmatch(key) else "…"
    what = f"messages[{i}].{name} is not one of this role's fields, and nobody would look at it; expected {', '.join(sorted(keys))}"
    return GuardError(Code.unsupported_parameter, what, param=f"messages[{i}].{name}")
