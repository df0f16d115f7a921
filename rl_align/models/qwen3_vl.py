"""Qwen3-VL in small sizes: patches of 16 px, merged 2×2, learnt patch positions, features of a middle block added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rl_align.models.qwen2_5_vl import MERGE, SIZES, text_config, top_level
from rl_align.models.registry import Architecture, Size, register
from rl_align.models.tokenizer import CHAT_TEMPLATE

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast, ProcessorMixin

PATCH = 16


def config(size: Size, tokenizer: PreTrainedTokenizerFast, vocab_size: int) -> PretrainedConfig:
    """The transformers config of one size."""
    from transformers import Qwen3VLConfig

    vision = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_hidden,
        "intermediate_size": size.vision_mlp,
        "num_heads": size.vision_heads,
        "out_hidden_size": size.hidden,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [size.vision_layers // 2 - 1],
        "in_channels": 3,
    }
    text = text_config(size, tokenizer, vocab_size, mrope_interleaved=True)
    text["head_dim"] = size.hidden // size.heads
    return Qwen3VLConfig(text_config=text, vision_config=vision, **top_level(size, tokenizer))


def processor(tokenizer: PreTrainedTokenizerFast, image_size: int) -> ProcessorMixin:
    """Resizes a picture to at most `image_size²` pixels (rounded up to whole cells of 32 px)."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    cell = PATCH * MERGE
    edge = max(-(-image_size // cell), 2) * cell
    images = Qwen2VLImageProcessor(
        size={"shortest_edge": (2 * cell) ** 2, "longest_edge": edge**2},
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return Qwen3VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


register("qwen3_vl", Architecture(SIZES, config, processor, "Qwen3VLForConditionalGeneration"))
