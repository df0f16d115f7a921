"""Micro-batches without any image.

For them verl feeds Qwen2-VL's tower a picture of zeros, so that every parameter takes part, and takes the mean of what comes back;
with transformers 5 that is an object, not a tensor ("has no attribute 'mean'"). Unnecessary once verl unpacks it, as it does
elsewhere.
"""

from __future__ import annotations

from typing import Any

import torch

FOR = {"verl": "0.9.1", "transformers": "5.19.0"}


def apply() -> None:
    """Replaces verl's embedding of inputs where there is no image. Safe to call twice."""
    import verl.models.transformers.qwen2_vl as target
    from verl.utils.transformers_compat import unpack_visual_output

    original = target._get_input_embeds
    if getattr(original, "_rl_align", False):
        return

    def embed(
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: Any = None,
        pixel_values: Any = None,
        pixel_values_videos: Any = None,
        image_grid_thw: Any = None,
        video_grid_thw: Any = None,
    ) -> Any:
        if pixel_values is not None or pixel_values_videos is not None:
            return original(model, input_ids, attention_mask, pixel_values, pixel_values_videos, image_grid_thw, video_grid_thw)
        embeds = model.get_input_embeddings()(input_ids)
        vision = model.config.vision_config
        width = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        zeros = torch.zeros((16, width), dtype=embeds.dtype, device=embeds.device)
        grid = torch.tensor([[1, 4, 4]], device=embeds.device)
        nothing, _ = unpack_visual_output(model.visual(zeros, grid_thw=grid))
        return embeds + 0.0 * nothing.mean(), attention_mask

    embed._rl_align = True
    target._get_input_embeds = embed
