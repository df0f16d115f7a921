"""Which model a run starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass
class ModelConfig:
    """A model to build, or a Hugging Face folder to start from.

    Attributes:
        architecture: Name of a registered builder (`rl_align.models.registry`).
        size: Name of one of that builder's sizes.
        path: An existing Hugging Face folder; when set, nothing is built and the fields below are not read.
        vocab_size: Tokens of the tokenizer, special tokens included. A corpus with fewer distinct words fills less.
        image_size: Edge in pixels of the square whose area is the processor's pixel budget.
        seed: Seed of the initial weights.
        dtype: Type of the saved weights, `float32` or `bfloat16`.
    """

    architecture: str = "qwen2_5_vl"
    size: str = "3m"
    path: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    vocab_size: int = 1024
    image_size: int = 112
    seed: int = 0
    dtype: str = "float32"
