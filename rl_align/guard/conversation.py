"""A chat as the guard reads it: the last user turn, what came before it, every image; and the chat with that turn rewritten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import Code, GuardError

#: What parts may hold. Anything more could name something that the target fetches, or an image that it has cached.
_TEXT = {"type", "text", "cache_control"}
_IMAGE = {"type", "image_url", "cache_control"}
_REFUSAL = {"type", "refusal"}
_IMAGE_URL = {"url", "detail"}

#: Templates write a role out, so another word would be text that nobody looked at, or a turn of the user's under another name.
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
#: OpenAI's own rule. Some templates write the name out.
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
_CUT = " […] "

Message = Mapping[str, Any]


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


@dataclass(frozen=True)
class Conversation:
    """A chat that has been looked through. The messages are the caller's own and are never changed.

    Attributes:
        messages: As they came.
        turn: Index of the last user turn.
        text: Its text; parts are joined by line ends.
        images: Every image of every turn, in order.
    """

    messages: Sequence[Message]
    turn: int
    text: str
    images: tuple[ImageSite, ...]

    def context(self, limit: int) -> str:
        """The text of the earlier turns, one JSON object `{"role": "text"}` a line, so that no text can pass for another turn.

        Args:
            limit: Characters of text; the latest turns are kept, and the oldest of them loses its middle.
        """
        lines: list[str] = []
        for message in reversed(self.messages[: self.turn]):
            text = _text(message)
            if not text:
                continue
            if limit <= 0:
                break
            lines.append(json.dumps({str(message["role"]): _shortened(text, limit)}, ensure_ascii=False))
            limit -= len(text)
        return "\n".join(reversed(lines))

    def with_images(self, urls: Sequence[str]) -> Conversation:
        """The same chat with the images' URLs replaced, in order; those that stay are shared."""
        changed: dict[int, list[Any]] = {}
        sites = []
        for site, url in zip(self.images, urls, strict=True):
            sites.append(ImageSite(site.message, site.part, url))
            if url is site.url:
                continue
            content = changed.setdefault(site.message, list(self.messages[site.message]["content"]))
            part = content[site.part]
            content[site.part] = {**part, "image_url": {**part["image_url"], "url": url}}
        messages = [{**m, "content": changed[i]} if i in changed else m for i, m in enumerate(self.messages)]
        return Conversation(messages, self.turn, self.text, tuple(sites))

    def rewritten(self, text: str) -> list[Message]:
        """The chat with the text of the last user turn replaced: images keep their order, every other turn is the same object.

        Of several parts with text the last one takes the new text, and the others go. A turn without text gets a part at its end.
        """
        message = self.messages[self.turn]
        content = message["content"]
        if not isinstance(content, str):
            places = [i for i, part in enumerate(content) if part.get("type") == "text"]
            place = places[-1] if places else None
            content = [{**p, "text": text} if i == place else p for i, p in enumerate(content) if i == place or i not in places]
            if place is None:
                content.append({"type": "text", "text": text})
        else:
            content = text
        return [{**m, "content": content} if i == self.turn else m for i, m in enumerate(self.messages)]


def look_through(messages: Any, *, allow_prefill: bool = False, allow_other_content: bool = False) -> Conversation:
    """Reads a chat without trust.

    Args:
        messages: `messages` of a request.
        allow_prefill: Let the last turn be the assistant's.
        allow_other_content: Let parts through that are neither text nor images.

    Raises:
        GuardError: Not a chat, no user turn with anything in it, or something that the guard could not look at.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)) or not messages:
        raise _invalid("is missing or no list", "messages", "a list of messages, at least one")
    images: list[ImageSite] = []
    turn = None
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise _invalid("is no message", f"messages[{i}]", f'an object with "content" and a "role" of {", ".join(_ROLES)}')
        if message.get("name") is not None and not (isinstance(message["name"], str) and _NAME.fullmatch(message["name"])):
            raise _invalid("is no name", f"messages[{i}].name", r"at most 64 characters without spaces, <, |, \, / or >")
        if message["role"] == "user":
            turn = i
        images += _images(message, i, allow_other_content)
    if turn is None:
        raise _invalid("hold no user turn, so there is nothing to rewrite", "messages", 'a message with the role "user"')
    if messages[-1]["role"] == "assistant" and not allow_prefill:
        message = "the last message is the assistant's: the model would continue it, and the guard rewrites user turns only"
        raise GuardError(Code.unsupported_content, f"{message}; end with a user turn", param=f"messages[{len(messages) - 1}]")
    text = _text(messages[turn])
    if not text.strip() and not any(site.message == turn for site in images):
        raise _invalid("holds neither text nor an image", f"messages[{turn}].content", "what the person asks or shows")
    return Conversation(messages, turn, text, tuple(images))


def _images(message: Message, i: int, allow_other: bool) -> Iterator[ImageSite]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise _invalid("is neither text nor a list of parts", f"messages[{i}].content", "a string or a list")
    for j, part in enumerate(content):
        where = f"messages[{i}].content[{j}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str) and part.keys() <= _TEXT:
            continue
        if kind == "image_url" and part.keys() <= _IMAGE:
            image = part.get("image_url")
            if not isinstance(image, Mapping) or not isinstance(image.get("url"), (str, bytes)) or not image.keys() <= _IMAGE_URL:
                raise _invalid("is no image", f"{where}.image_url", 'an object with "url", perhaps "detail"')
            yield ImageSite(i, j, image["url"])
        elif kind == "refusal" and isinstance(part.get("refusal"), str) and part.keys() <= _REFUSAL:
            continue
        elif not (allow_other and isinstance(part, Mapping) and isinstance(kind, str) and kind not in ("text", "image_url")):
            what = "this part is not one that the guard can look at; expected text or image_url, with no further fields"
            raise GuardError(Code.unsupported_content, what, param=where)


def _text(message: Message) -> str:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(
        str(part.get("text") or part.get("refusal") or "") for part in content if part.get("type") in ("text", "refusal")
    )


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return text[: limit - limit // 2] + _CUT + text[len(text) - limit // 2 :]


def _invalid(what: str, param: str, expected: str) -> GuardError:
    return GuardError(Code.invalid_request, f"{param} {what}; expected {expected}", param=param)
