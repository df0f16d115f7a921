"""Turns between Inspect's messages and OpenAI's form, which `rl_align.guard` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentImage,
    ContentText,
)

_ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def to_openai(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The turns in OpenAI's form. A part that is neither text nor image keeps its type and nothing else: the guard refuses it."""
    return [{"role": m.role, "content": m.content if isinstance(m.content, str) else list(map(_part, m.content))} for m in messages]


def to_inspect(messages: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    """The turns as Inspect's messages: those that the guard itself makes, of text and images."""
    return [_ROLES[m["role"]](content=content_of(m["content"])) for m in messages]


def content_of(content: str | Sequence[Mapping[str, Any]]) -> str | list[Content]:
    """The content of one turn."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in content)
    return [
        ContentText(text=text) if text is not None else ContentImage(image=part["image_url"]["url"])
        for text, part in zip(texts, content, strict=True)
    ]


def _part(part: Content) -> dict[str, Any]:
    if isinstance(part, ContentText):
        return {"type": "text", "text": part.text}
    if isinstance(part, ContentImage):
        return {"type": "image_url", "image_url": {"url": part.image}}
    return {"type": part.type}
