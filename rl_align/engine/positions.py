"""Position ids, computed once for a prompt and continued over the text that follows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def prompt_positions(processor: Any, ids: torch.Tensor, features: Mapping[str, Any]) -> torch.Tensor:
    """Position ids of a prompt.

    Args:
        processor: A processor as verl prepares it: with `get_rope_index` when the model uses M-RoPE.
        ids: Token ids (T), image tokens expanded.
        features: The processor's image features.

    Returns:
        (T) for text models; (4, T) = text, time, height, width with M-RoPE (Qwen2-VL, arXiv 2409.12191).
    """
    text = torch.arange(len(ids))
    if not hasattr(processor, "get_rope_index"):
        return text
    arguments = {"image_grid_thw": features.get("image_grid_thw"), "video_grid_thw": None}
    if features.get("mm_token_type_ids") is not None:
        arguments["mm_token_type_ids"] = torch.as_tensor(features["mm_token_type_ids"]).reshape(1, -1)
    vision, _ = processor.get_rope_index(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], **arguments)
    return torch.cat([text[None], vision[:, 0]])


def extend_positions(prompt: torch.Tensor, count: int) -> torch.Tensor:
    """Continues a prompt's position ids over `count` text tokens.

    After the last image every axis advances by one per token from the largest position so far (arXiv 2409.12191, section 2.1); the
    text axis simply counts on.

    Args:
        prompt: (T) or (4, T).
        count: Number of tokens that follow.

    Returns:
        (T + count) or (4, T + count).
    """
    steps = torch.arange(1, count + 1)
    if prompt.dim() == 1:
        return torch.cat([prompt, prompt[-1] + steps])
    text = prompt[0, -1] + steps
    vision = prompt[1:].max() + steps
    return torch.cat([prompt, torch.stack([text, vision, vision, vision])], dim=1)
