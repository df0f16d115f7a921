"""Names of architectures and the builders behind them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rl_align.errors import UserError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast, ProcessorMixin


@dataclass(frozen=True)
class Size:
    """Widths and depths of a model.

    Attributes:
        hidden: Width of the residual stream.
        mlp: Hidden width of the feed-forward block.
        layers: Blocks.
        heads: Attention heads.
        kv_heads: Heads of keys and values.
        vision_hidden: Width of the vision tower.
        vision_mlp: Hidden width of its feed-forward block.
        vision_layers: Its blocks.
        vision_heads: Its attention heads.
        vision_full: Its blocks that attend to the whole picture, where the architecture knows windows; by default the last.
        vocab_rows: Rows of the embedding at least, whatever the tokenizer fills: what a real model's output layer costs.
        tied: Whether the output layer is the embedding.
    """

    hidden: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    vision_hidden: int
    vision_mlp: int
    vision_layers: int
    vision_heads: int = 4
    vision_full: tuple[int, ...] = ()
    vocab_rows: int = 0
    tied: bool = False


@dataclass(frozen=True)
class Architecture:
    """How to build one architecture.

    Attributes:
        sizes: Named sizes.
        config: `(size, tokenizer, vocab_size) -> transformers config`.
        processor: `(tokenizer, image_size) -> transformers processor`.
        model_class: Name of the model class in transformers.
    """

    sizes: dict[str, Size]
    config: Callable[[Size, PreTrainedTokenizerFast, int], PretrainedConfig]
    processor: Callable[[PreTrainedTokenizerFast, int], ProcessorMixin]
    model_class: str


_ARCHITECTURES: dict[str, Architecture] = {}


def register(name: str, architecture: Architecture) -> None:
    """Make an architecture known under a name.

    Raises:
        ValueError: The name is taken.
    """
    if name in _ARCHITECTURES:
        raise ValueError(f"architecture {name!r} is registered already")
    _ARCHITECTURES[name] = architecture


def architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        UserError: No such architecture; the message names the nearest one.
    """
    from rl_align.models import qwen2_5_vl, qwen3_vl  # noqa: F401

    return pick(_ARCHITECTURES, name, "model.architecture")


def pick(table: dict[str, Any], name: str, where: str) -> Any:
    """`table[name]`, or a `UserError` that names the choices."""
    if name not in table:
        raise UserError(f"unknown value {name!r}", where=where, expected=_choices(table), fix=_nearest(name, table))
    return table[name]


def _choices(names: Collection[str]) -> str:
    return "one of " + ", ".join(sorted(names))


def _nearest(name: str, names: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]!r}?" if near else None
