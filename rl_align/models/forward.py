"""What a model folder says of given tokens, with transformers alone: the log-probability of each."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.errors import UserError
from rl_align.models.quiet import quiet

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Asked:
    """Tokens to judge.

    Attributes:
        prompt_ids: (T_prompt), image tokens expanded.
        response_ids: (T_response).
        images: The prompt's pictures, in order.
    """

    prompt_ids: Sequence[int]
    response_ids: Sequence[int]
    images: Sequence[Image.Image] = ()


def log_probs(
    folder: Path, texts: Sequence[Asked], temperatures: Sequence[float] = (1.0,), adapter: Path | None = None
) -> list[list[list[float]]]:
    """Log-probability of every response token.

    Args:
        folder: Hugging Face folder, loaded in the number format that it names.
        texts: What is asked.
        temperatures: Logits are divided by each of them.
        adapter: Folder of a PEFT adapter that goes on top; None for none.

    Returns:
        For each temperature, for each text: (T_response), computed in float32 from the model's logits.

    Raises:
        UserError: The processor makes other image tokens than the prompt has.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    with quiet():
        model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", trust_remote_code=False)
    typed = "mm_token_type_ids" in inspect.signature(model.forward).parameters
    image_token = getattr(model.config, "image_token_id", None)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    found: list[list[list[float]]] = [[] for _ in temperatures]
    for text in texts:
        ids = torch.tensor([[*text.prompt_ids, *text.response_ids]])
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if typed:
            given["mm_token_type_ids"] = (ids == image_token).int()
        if text.images:
            features = processor.image_processor(images=list(text.images), return_tensors="pt")
            _fits(int((ids == image_token).sum()), features, processor)
            given |= {name: features[name] for name in ("pixel_values", "image_grid_thw")}
        with torch.inference_mode():
            logits = model(**given, use_cache=False).logits[0, len(text.prompt_ids) - 1 : -1].float()
        targets = torch.tensor(list(text.response_ids))[:, None]
        for temperature, texts_of in zip(temperatures, found, strict=True):
            texts_of.append((logits / temperature).log_softmax(-1).gather(1, targets)[:, 0].tolist())
    return found


class Prompts:
    """Token ids as a folder's chat template, processor and tokenizer make them.

    Args:
        folder: Hugging Face folder.
    """

    def __init__(self, folder: Path):
        from transformers import AutoProcessor

        self._processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)

    def prompt(self, messages: Sequence[Any], images: Sequence[Image.Image]) -> list[int]:
        """Of a prompt, image tokens expanded."""
        text = self._processor.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        made = self._processor(text=[text], images=list(images) or None, add_special_tokens=False)
        return [int(i) for i in made["input_ids"][0]]

    def response(self, text: str) -> list[int]:
        """Of a whole response, the token that ends it included."""
        tokenizer = self._processor.tokenizer
        return [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def collapsed(ids: Sequence[int], image_token: int | None) -> list[int]:
    """Token ids with one image token a picture, as vLLM takes prompts."""
    return [i for n, i in enumerate(ids) if not (n and i == image_token == ids[n - 1])]


def _fits(found: int, features: Any, processor: Any) -> None:
    merged = int(features["image_grid_thw"].prod(-1).sum()) // processor.image_processor.merge_size**2
    if found != merged:
        what = f"the processor makes {merged} image tokens where the prompt has {found}"
        raise UserError(what, expected="the processor that the model was trained with")
