"""What every task asks, and how: the messages that training renders, images as data URIs, one answer a sample."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, Content, ContentImage, ContentText
from inspect_ai.solver import Generate, Solver, TaskState, solver

from rl_align.data.rows import IMAGE_MARKER, chat
from rl_align.schema import Item
from rl_align.transcript.prompts import RESPONDER_SYSTEM


def messages(item: Item, tokens: Iterable[str], system: str | None = RESPONDER_SYSTEM) -> list[ChatMessage]:
    """The same messages that training renders, images as data URIs.

    Args:
        item: What is asked; its prompt is untrusted and is neutralised.
        tokens: Special tokens of the model's tokenizer.
        system: The system message; None for none.
    """
    turns: list[ChatMessage] = []
    for message in chat(item, tokens, system):
        if message["role"] == "system":
            turns.append(ChatMessageSystem(content=message["content"]))
            continue
        content: list[Content] = [ContentImage(image=_uri(image.read())) for image in item.images]
        content.append(ContentText(text=message["content"].removeprefix(IMAGE_MARKER * len(item.images))))
        turns.append(ChatMessageUser(content=content))
    return turns


def _uri(data: bytes) -> str:
    kind = "jpeg" if data.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


@solver
def ask(seed: int | None) -> Solver:
    """One answer a sample, with a random stream of its own when there is a seed; every epoch has another one."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if seed is None:
            return await generate(state)
        place = f"{seed}/{state.sample_id}" if state.epoch <= 1 else f"{seed}/{state.sample_id}/{state.epoch}"
        digest = hashlib.sha256(place.encode()).digest()
        return await generate(state, seed=int.from_bytes(digest[:4], "big") >> 1)

    return solve


def generated_tokens(state: TaskState) -> int:
    """Tokens of the answer; 0 where the provider does not say."""
    return state.output.usage.output_tokens if state.output.usage else 0
