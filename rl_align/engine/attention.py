"""Which attention the trainer uses on this machine."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from .config import AUTO, FLASH, EngineConfig


def settle(engine: EngineConfig) -> EngineConfig:
    """`attention: auto` becomes flash-attention where it is installed, else sdpa.

    Without flash-attn verl cannot attend to packed sequences of Qwen-VL, so `remove_padding` goes with it; and it knows no float32.
    """
    if engine.attention != AUTO:
        return engine
    if find_spec("flash_attn") is not None and engine.train_dtype != "float32":
        return replace(engine, attention=FLASH)
    return replace(engine, attention="sdpa", remove_padding=False)
