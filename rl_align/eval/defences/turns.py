"""The messages of a sample, read and changed. Pure; messages are never changed in place, others share them."""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, Content, ContentImage, ContentText, ModelOutput

from reward.judges.reading import behind_thinking
from rl_align.endpoints.types import Completion
from rl_align.errors import UserError


def last_user(messages: Sequence[ChatMessage]) -> int:
    """Index of the last user turn. Raises UserError when there is none."""
    for i in reversed(range(len(messages))):
        if messages[i].role == "user":
            return i
    raise UserError("a sample holds no user turn", expected="an optional system message and user turns")


def request_of(messages: Sequence[ChatMessage]) -> str:
    """The text of the last user turn; parts are joined by line ends. Raises UserError when there is no user turn."""
    return messages[last_user(messages)].text


def images_of(messages: Sequence[ChatMessage]) -> list[str]:
    """The images of every turn, in order."""
    return [part.image for m in messages if not isinstance(m.content, str) for part in m.content if part.type == "image"]


def with_request(messages: Sequence[ChatMessage], text: str) -> list[ChatMessage]:
    """The same turns with another text in the last user turn.

    Of several parts with text the last one takes it and the others go, as in the guard; images and what else there is stay in
    their order. A turn without text gets a part at its end.
    """
    at = last_user(messages)
    content = messages[at].content
    if isinstance(content, str):
        return [*messages[:at], messages[at].model_copy(update={"content": text}), *messages[at + 1 :]]
    texts = [i for i, part in enumerate(content) if part.type == "text"]
    place = texts[-1] if texts else len(content)
    kept: list[Content] = [part for i, part in enumerate(content) if i < place and i not in texts]
    kept += [ContentText(text=text), *content[place + 1 :]]
    return [*messages[:at], messages[at].model_copy(update={"content": kept}), *messages[at + 1 :]]


def without_images(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The same turns without any image; a turn of images alone becomes an empty one."""
    kept: list[ChatMessage] = []
    for m in messages:
        if isinstance(m.content, str) or not any(part.type == "image" for part in m.content):
            kept.append(m)
            continue
        rest = [part for part in m.content if part.type != "image"]
        plain = m.text if all(part.type == "text" for part in rest) else rest
        kept.append(m.model_copy(update={"content": plain}))
    return kept


def with_system(messages: Sequence[ChatMessage], text: str) -> list[ChatMessage]:
    """The same turns with this at the end of the first system message, or as one in front when there is none."""
    for i, m in enumerate(messages):
        if isinstance(m, ChatMessageSystem):
            return [*messages[:i], m.model_copy(update={"content": f"{m.text.rstrip()}\n\n{text}"}), *messages[i + 1 :]]
    return [ChatMessageSystem(content=text), *messages]


def user_turn(text: str, images: Sequence[str] = ()) -> ChatMessageUser:
    """A user's turn, images first. Without images its content is plain text: some text-only servers take no parts."""
    if not images:
        return ChatMessageUser(content=text)
    return ChatMessageUser(content=[*(ContentImage(image=image) for image in images), ContentText(text=text)])


def said(output: ModelOutput) -> str:
    """What an answer says to the person: behind the thinking, if that ends; else all of it."""
    behind = behind_thinking(output.completion)
    return output.completion if behind is None else behind.strip()


def completion_of(output: ModelOutput) -> Completion:
    """An answer as the readers of judges take it."""
    stop = output.stop_reason if output.choices else "unknown"
    reason = {"max_tokens": "length", "model_length": "length"}.get(stop, stop)
    return Completion(output.completion, finish_reason=reason)
