"""Qwen2.5-VL in small sizes: patches of 14 px, merged 2×2, so one image token covers 28×28 px."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rl_align.models.registry import Architecture, Size, register
from rl_align.models.tokenizer import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    END_OF_TURN,
    IMAGE,
    MAX_LENGTH,
    VIDEO,
    VISION_END,
    VISION_START,
)

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast, ProcessorMixin

PATCH = 14
MERGE = 2

#: Normalisation of drawings on a light ground: the ground lies near 0, so that the first layer sees the strokes and not a constant.
GROUND, CONTRAST = [0.95] * 3, [0.3] * 3

#: Attention windows in pixels. A picture of up to this edge is one window.
WINDOW = 112

SIZES = {
    "1m": Size(128, 384, 2, 4, 2, vision_hidden=64, vision_mlp=128, vision_layers=2),
    "3m": Size(256, 768, 3, 4, 2, vision_hidden=128, vision_mlp=256, vision_layers=4),
    "30m": Size(512, 1536, 8, 8, 4, vision_hidden=256, vision_mlp=512, vision_layers=4),
    "100m": Size(768, 2304, 12, 12, 4, vision_hidden=384, vision_mlp=1024, vision_layers=6, vision_heads=6),
    # Qwen2.5-VL-3B's own shapes, for what random weights can show: speed and memory.
    "3b": Size(
        2048,
        11008,
        36,
        16,
        2,
        vision_hidden=1280,
        vision_mlp=3420,
        vision_layers=32,
        vision_heads=16,
        vision_full=(7, 15, 23, 31),
        vocab_rows=151_936,
        tied=True,
    ),
}


def rope_sections(head_dim: int) -> list[int]:
    """Rotary frequencies for time, height and width: about 1/4, 3/8, 3/8 of `head_dim / 2`, as in the 7B model."""
    half = head_dim // 2
    spatial = (half - half // 4) // 2
    return [half - 2 * spatial, spatial, spatial]


def text_config(size: Size, tokenizer: PreTrainedTokenizerFast, vocab_size: int, **rope) -> dict:
    """The language half of the config, shared by the Qwen-VL family."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": size.hidden,
        "intermediate_size": size.mlp,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads,
        "max_position_embeddings": MAX_LENGTH,
        "bos_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids(END_OF_TURN),
        "pad_token_id": tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        "tie_word_embeddings": size.tied,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": rope_sections(size.hidden // size.heads),
            "rope_theta": 10000.0,
            **rope,
        },
    }


def top_level(size: Size, tokenizer: PreTrainedTokenizerFast) -> dict:
    """The top level of the config, shared by the Qwen-VL family."""
    return {
        "image_token_id": tokenizer.convert_tokens_to_ids(IMAGE),
        "video_token_id": tokenizer.convert_tokens_to_ids(VIDEO),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids(VISION_START),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids(VISION_END),
        "tie_word_embeddings": size.tied,
    }


def config(size: Size, tokenizer: PreTrainedTokenizerFast, vocab_size: int) -> PretrainedConfig:
    """The transformers config of one size."""
    from transformers import Qwen2_5_VLConfig

    vision = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_hidden,
        "intermediate_size": size.vision_mlp,
        "num_heads": size.vision_heads,
        "out_hidden_size": size.hidden,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "window_size": WINDOW,
        "fullatt_block_indexes": list(size.vision_full) or [size.vision_layers - 1],
        "in_channels": 3,
    }
    text = text_config(size, tokenizer, vocab_size, type="default")
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, **top_level(size, tokenizer))


def processor(tokenizer: PreTrainedTokenizerFast, image_size: int) -> ProcessorMixin:
    """Resizes a picture to at most `image_size²` pixels, with edges that are multiples of 28 px."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    cell = PATCH * MERGE
    images = Qwen2VLImageProcessor(
        image_mean=GROUND,
        image_std=CONTRAST,
        size={"shortest_edge": (2 * cell) ** 2, "longest_edge": max(image_size, 2 * cell) ** 2},
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=2,
    )
    return Qwen2_5_VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


register("qwen2_5_vl", Architecture(SIZES, config, processor, "Qwen2_5_VLForConditionalGeneration"))
