"""How many tokens a prompt takes, without building it: the filter that keeps over-long items out of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rl_align.data.rows import chat
from rl_align.schema import Item

from .chat import parts

PROMPT_TOO_LONG, TRANSCRIPT_TOO_LONG = "prompt_too_long", "transcript_too_long"


class PromptLengths:
    """Counts the tokens of prompts for one model.

    Args:
        model: Hugging Face folder with a processor.
        special_tokens: Texts that its tokenizer turns into special tokens.
    """

    def __init__(self, model: Path, special_tokens: list[str]):
        from transformers import AutoProcessor

        self.processor = AutoProcessor.from_pretrained(model, trust_remote_code=False)
        self.special_tokens = special_tokens

    def prompt(self, item: Item) -> int:
        """Tokens of an item's prompt, system message, template and images included."""
        messages = [{"role": m["role"], "content": parts(m["content"])} for m in chat(item, self.special_tokens)]
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.text(text) + sum(self._image(image) - 1 for image in item.images)

    def text(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _image(self, image: Any) -> int:
        processor = self.processor.image_processor
        width, height = image.decode().size
        return processor.get_number_of_image_patches(height, width, {}) // processor.merge_size**2

    def fits_prompt(self, limit: int) -> Callable[[Item], str | None]:
        """A filter: the reason why an item's prompt is too long, None when it is not."""
        return lambda item: PROMPT_TOO_LONG if self.prompt(item) > limit else None

    def fits_transcript(self, limit: int, transcripts: Mapping[str, str]) -> Callable[[Item], str | None]:
        """A filter for SFT: prompt, transcript and end token together."""

        def fits(item: Item) -> str | None:
            total = self.prompt(item) + self.text(transcripts.get(item.id, "")) + 1
            return TRANSCRIPT_TOO_LONG if total > limit else None

        return fits
