"""A chat as the guard reads it: the turns of the user, what stands around them, every image; and the chat with turns rewritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import Code, GuardError
from .messages import ImageSite, Message, calls, empty, invalid, read, text

_CUT = " […] "
_FRAME = 16
_OPERATORS = ("system", "developer")
_TOOLS = ("tool", "function")

#: A turn of the user: indices of its messages, in order.
Turn = tuple[int, ...]


@dataclass(frozen=True)
class Conversation:
    """A chat that has been looked through. The messages are the caller's own and are never changed.

    Attributes:
        messages: As they came.
        texts: Everything that each of them says.
        turns: The user's turns; the last one is to be answered. Messages of the user that follow each other are one turn, whatever
            the operator or nobody says between them: a target reads them as one.
        images: Every image of every turn, in order.
    """

    messages: Sequence[Message]
    texts: Sequence[str]
    turns: tuple[Turn, ...]
    images: tuple[ImageSite, ...]

    @property
    def last(self) -> Turn:
        """The turn to be answered."""
        return self.turns[-1]

    def text(self, turn: Turn) -> str:
        """The text of a turn; parts and messages are joined by line ends."""
        return "\n".join(filter(None, (self.texts[i] for i in turn)))

    def empty(self, turn: Turn) -> bool:
        """Whether nothing can be read or seen in a turn."""
        return all(empty(self.messages[i], self.texts[i]) for i in turn)

    def shown(self, turn: Turn) -> tuple[ImageSite, ...]:
        """The images that belong to a turn's question: all of them with the last one, else those up to the turn."""
        return self.images if turn == self.last else tuple(site for site in self.images if site.message <= turn[-1])

    def before(self, turn: Turn, limit: int) -> str:
        """What stands before the end of a turn, its own text left out: one JSON object `{"role": "text"}` a line, so that no text
        can pass for another turn.

        Args:
            turn: The turn.
            limit: Characters, some for every line among them; the latest turns are kept, and the oldest of them loses its middle.
        """
        lines: list[str] = []
        own = set(turn)
        for i in range(turn[-1] - 1, -1, -1):
            said = self.texts[i]
            if not said or i in own:
                continue
            if limit <= 0:
                break
            lines.append(_line(self.messages[i], _shortened(said, limit)))
            limit -= len(said) + _FRAME
        return "\n".join(reversed(lines))

    def after(self, turn: Turn) -> str:
        """What stands after a turn, whole, in the same form."""
        behind = range(turn[-1] + 1, len(self.messages))
        return "\n".join(_line(self.messages[i], self.texts[i]) for i in behind if self.texts[i])

    def digests(self) -> dict[Turn, bytes]:
        """A digest for every turn, of everything up to its end. Two chats share one where they are the same up to there."""
        found, running, i = {}, hashlib.sha256(), 0
        for turn in self.turns:
            for message in self.messages[i : turn[-1] + 1]:
                running.update(json.dumps(message, sort_keys=True, default=repr).encode())
            i = turn[-1] + 1
            found[turn] = running.digest()
        return found

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
        return Conversation(messages, self.texts, self.turns, tuple(sites))

    def rewritten(self, texts: Mapping[Turn, str]) -> list[Message]:
        """The chat with the text of turns replaced: images keep their order, every other message is the same object.

        A turn's last message takes the new text; the others keep what is not text, and go where nothing is left.
        """
        replaced: dict[int, Message | None] = {}
        for turn, new in texts.items():
            replaced |= {i: _without_text(self.messages[i]) for i in turn[:-1]}
            replaced[turn[-1]] = _with_text(self.messages[turn[-1]], new)
        messages = (replaced.get(i, message) for i, message in enumerate(self.messages))
        return [message for message in messages if message is not None]


def look_through(messages: Any, *, allow_prefill: bool = False, allow_other_content: bool = False) -> Conversation:
    """Reads a chat without trust.

    Args:
        messages: `messages` of a request.
        allow_prefill: Let the assistant have the last word.
        allow_other_content: Let parts through that are neither text nor images.

    Raises:
        GuardError: Not a chat, no user turn with anything in it, or something that the guard could not look at.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)) or not messages:
        raise invalid("is missing or no list", "messages", "a list of messages, at least one")
    images = [site for i, message in enumerate(messages) for site in read(message, i, allow_other_content)]
    texts = tuple(map(text, messages))
    turns: list[list[int]] = []
    between = True  # somebody has spoken since the user did
    for i, message in enumerate(messages):
        if message["role"] == "user":
            if between:
                turns.append([])
            turns[-1].append(i)
            between = False
        elif message["role"] not in _OPERATORS and not between:
            between = not empty(message, texts[i])
    if not turns:
        raise invalid("hold no user turn, so there is nothing to rewrite", "messages", 'a message with the role "user"')
    conversation = Conversation(messages, texts, tuple(map(tuple, turns)), tuple(images))
    if conversation.empty(conversation.last):
        raise invalid("holds neither text nor an image", f"messages[{turns[-1][-1]}].content", "what the person asks or shows")
    if not allow_prefill:
        _refuse_prefill(messages, texts)
    return conversation


def _refuse_prefill(messages: Sequence[Message], texts: Sequence[str]) -> None:
    """Raises GuardError when the assistant has the last word: the model would go on from there, whatever the prompt became."""
    last = len(messages) - 1
    spoken = last
    while spoken > 0 and (messages[spoken]["role"] in _OPERATORS or empty(messages[spoken], texts[spoken])):
        spoken -= 1
    # A tool may have nothing to say.
    answered = calls(messages[spoken]) and any(m["role"] in _TOOLS for m in messages[spoken:])
    for i in (last, *(() if answered else (spoken,))):
        if messages[i]["role"] == "assistant":
            what = "the last message is the assistant's: the model would continue it, and the guard rewrites user turns only"
            raise GuardError(Code.unsupported_content, f"{what}; end with a user turn", param=f"messages[{i}]")


def _without_text(message: Message) -> Message | None:
    content = message.get("content")
    kept = [] if content is None or isinstance(content, str) else _other_than_text(content)
    return {**message, "content": kept} if kept else None


def _with_text(message: Message, new: str) -> Message:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return {**message, "content": new}
    places = [i for i, part in enumerate(content) if part["type"] == "text"]
    if not places:
        return {**message, "content": [*content, {"type": "text", "text": new}]}
    before, at, behind = content[: places[-1]], content[places[-1]], content[places[-1] + 1 :]
    return {**message, "content": [*_other_than_text(before), {**at, "text": new}, *behind]}


def _other_than_text(parts: Iterable[Any]) -> list[Any]:
    return [part for part in parts if part["type"] != "text"]


def _line(message: Message, said: str) -> str:
    return json.dumps({str(message["role"]): said}, ensure_ascii=False)


def _shortened(said: str, limit: int) -> str:
    if len(said) <= limit:
        return said
    return said[: limit - limit // 2] + _CUT + said[len(said) - limit // 2 :]
