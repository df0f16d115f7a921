"""Floating point operations of an update, from a model's files, and the share of a GPU's peak that they are (MFU).

Counted are the products of matrices, forward and backward, once (arXiv 2001.08361, 2204.02311 appendix B): 6 operations a parameter
and token. With T tokens in R texts, of which I have a picture of P patches:

    text       6 · (parameters of the language half, less an embedding that is only looked up in) · T
    attention  6 · layers · heads · head_dim · T² / R      causal; texts of unequal length cost more, so it is the least it can be
    vision     6 · (parameters of the tower · P + those of its merger · P / 4) · I

    MFU = operations / (seconds of the update · peak of the GPU)

Not counted: the attention of the tower (about 2 % of it), what gradient checkpointing computes twice, padding, the optimizer. Where
`engine.share_images` is on, a picture counts once a step.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

PATCH, MERGE = 14, 2


@dataclass(frozen=True)
class Shapes:
    """What the count needs of a model.

    Attributes:
        parameters: All of them.
        text: Of the language half that every token is multiplied with.
        tower: Of the vision tower that every patch is multiplied with.
        merger: Of what merges 2×2 patches into a token.
        layers: Of the language half.
        width: Heads × their dimension.
    """

    parameters: int
    text: int
    tower: int
    merger: int
    layers: int
    width: int


def read_shapes(model: Path) -> Shapes | None:
    """The shapes of a Hugging Face folder of the Qwen-VL family, from the headers of its files; None when it is not there yet."""
    files = sorted(model.glob("*.safetensors"))
    if not files or not (model / "config.json").is_file():
        return None
    sizes: dict[str, int] = {}
    for path in files:
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        sizes |= {name: math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    config = json.loads((model / "config.json").read_bytes())
    text = config.get("text_config", config)
    whole = sum(sizes.values())
    vision = {name: size for name, size in sizes.items() if "visual" in name.split(".")}
    merger = sum(size for name, size in vision.items() if "merger" in name.split("."))
    tied = not any(name.startswith("lm_head") for name in sizes)
    lookup = 0 if tied else sum(size for name, size in sizes.items() if "embed_tokens" in name)
    head_dim = text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"]
    return Shapes(
        parameters=whole,
        text=whole - sum(vision.values()) - lookup,
        tower=sum(vision.values()) - merger,
        merger=merger,
        layers=text["num_hidden_layers"],
        width=text["num_attention_heads"] * head_dim,
    )


def patches(picture: int, budget: int) -> int:
    """Patches of a square picture of `picture` pixels whose area the processor bounds by `budget` × `budget`."""
    cell = PATCH * MERGE
    edge = max(cell, round(min(picture, budget) / cell) * cell)
    return (edge // PATCH) ** 2


def update_flops(shapes: Shapes, tokens: float, texts: float, pictures: float, patches_each: int) -> float:
    """Operations of one update; see the head of this file."""
    attention = 6 * shapes.layers * shapes.width * tokens**2 / texts if texts else 0.0
    vision = 6 * (shapes.tower + shapes.merger / MERGE**2) * patches_each * pictures
    return 6 * shapes.text * tokens + attention + vision
