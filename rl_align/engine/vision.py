"""Runs the vision tower once per distinct image of a micro-batch, and its attention once for images of one size.

Siblings of a group show the same image; verl feeds every row's copy through the vision tower, `n` times the work. This wraps the
tower's forward: equal images are computed once and their features indexed out, which leaves values and gradients the same (the
gradient of an index is the sum over its uses). Without flash-attention the tower attends image by image; windows of one length are
attended to as a batch instead. Loaded in the trainer's processes by verl's public `model.external_lib`. Unnecessary once verl
passes each distinct image once and transformers attends to equal windows as a batch.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

import torch

from . import text_only

FOR = {"transformers": "5.19.0"}

#: Module, vision tower, its attention.
TOWERS = (
    (
        "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl",
        "Qwen2_5_VisionTransformerPretrainedModel",
        "Qwen2_5_VLVisionAttention",
    ),
    ("transformers.models.qwen3_vl.modeling_qwen3_vl", "Qwen3VLVisionModel", "Qwen3VLVisionAttention"),
)


def distinct(pixel_values: torch.Tensor, grid_thw: torch.Tensor) -> tuple[list[int], list[int]]:
    """Which images are the same.

    Args:
        pixel_values: Patches of all images, (P, D).
        grid_thw: Patches along time, height and width of each image, (I, 3).

    Returns:
        (index of the first image of each kind, kind of every image).
    """
    images = pixel_values.detach().split(grid_thw.prod(-1).tolist())
    sums = torch.stack([image.sum(dtype=torch.float64) for image in images]).tolist()
    kinds: dict[Any, list[int]] = {}
    firsts: list[int] = []
    of: list[int] = []
    for i, (image, total, grid) in enumerate(zip(images, sums, grid_thw.tolist(), strict=True)):
        candidates = kinds.setdefault((total, *grid), [])  # the sum only sorts; equality decides
        kind = next((k for k in candidates if torch.equal(image, images[firsts[k]])), None)
        if kind is None:
            kind = len(firsts)
            candidates.append(kind)
            firsts.append(i)
        of.append(kind)
    return firsts, of


def share(forward: Callable) -> Callable:
    """Wraps a vision tower's `forward(pixel_values, grid_thw, **)`."""

    @functools.wraps(forward)
    def wrapped(self: Any, hidden_states: torch.Tensor, grid_thw: torch.Tensor, **kwargs: Any) -> Any:
        if len(grid_thw) < 2:
            return forward(self, hidden_states, grid_thw, **kwargs)
        firsts, of = distinct(hidden_states, grid_thw)
        if len(firsts) == len(of):
            return forward(self, hidden_states, grid_thw, **kwargs)
        patches = hidden_states.split(grid_thw.prod(-1).tolist())
        grid = grid_thw[firsts]
        output = forward(self, torch.cat([patches[i] for i in firsts]), grid, **kwargs)
        sizes = grid.prod(-1).tolist()
        merged = [size // self.spatial_merge_size**2 for size in sizes]
        return _map(output, lambda t: _expand(t, of, sizes, merged))

    wrapped._rl_align = True
    return wrapped


def _expand(features: torch.Tensor, of: list[int], sizes: list[int], merged: list[int]) -> torch.Tensor:
    """Features of distinct images → features of all images, before (sizes) or after (merged) patch merging."""
    for lengths in (merged, sizes):
        if features.shape[0] == sum(lengths):
            pieces = features.split(lengths)
            return torch.cat([pieces[kind] for kind in of])
    raise ValueError(f"features of shape {tuple(features.shape)} fit neither {sum(merged)} merged nor {sum(sizes)} patches")


def _map(output: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Applies a function to every tensor of a tower's output: a tensor, a list, a tuple or a transformers ModelOutput."""
    if isinstance(output, torch.Tensor):
        return function(output)
    if hasattr(output, "items"):
        return type(output)(**{name: _map(value, function) for name, value in output.items()})
    if isinstance(output, list | tuple):
        return type(output)(_map(value, function) for value in output)
    return output


def batch(forward: Callable, rotate: Callable) -> Callable:
    """Wraps a vision attention's forward: windows of one length become a batch.

    Args:
        forward: The original, used for windows of different lengths and with flash-attention, which needs no batch.
        rotate: The module's rotary embedding of queries and keys.
    """

    @functools.wraps(forward)
    def wrapped(self: Any, hidden_states: torch.Tensor, cu_seqlens: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        lengths = cu_seqlens.diff().tolist()
        if "flash" in self.config._attn_implementation or len(lengths) < 2 or len(set(lengths)) > 1:
            return forward(self, hidden_states, cu_seqlens, **kwargs)
        total, heads = len(hidden_states), self.num_heads
        q, k, v = self.qkv(hidden_states).view(total, 3, heads, -1).unbind(1)
        q, k = rotate(q, k, *kwargs["position_embeddings"])
        q, k, v = (t.view(len(lengths), lengths[0], heads, -1).transpose(1, 2) for t in (q, k, v))
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=self.scaling)
        return self.proj(out.transpose(1, 2).reshape(total, -1))

    wrapped._rl_align = True
    return wrapped


def install() -> None:
    """Wraps the towers of the supported architectures, unless `engine.share_images` is off. Safe to call twice."""
    text_only.apply()
    if os.environ.get("RL_ALIGN_SHARE_IMAGES") == "0":
        return
    for name, tower_name, attention_name in TOWERS:
        module = importlib.import_module(name)
        tower, attention = getattr(module, tower_name), getattr(module, attention_name)
        if not getattr(tower.forward, "_rl_align", False):
            tower.forward = share(tower.forward)
            attention.forward = batch(attention.forward, module.apply_rotary_pos_emb_vision)


install()
