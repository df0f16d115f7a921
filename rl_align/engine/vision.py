"""Runs the vision tower once per distinct image of a micro-batch.

Siblings of a group show the same image; verl feeds every row's copy through the vision tower, `n` times the work. This wraps the
tower's forward: equal images are computed once and their features indexed out, which leaves values and gradients the same (the
gradient of an index is the sum over its uses). Loaded in the trainer's processes by verl's public `model.external_lib`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import torch

TOWERS = (
    ("transformers.models.qwen2_5_vl.modeling_qwen2_5_vl", "Qwen2_5_VisionTransformerPretrainedModel"),
    ("transformers.models.qwen3_vl.modeling_qwen3_vl", "Qwen3VLVisionModel"),
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


def install() -> None:
    """Wraps the towers of the supported architectures. Safe to call twice."""
    for module, name in TOWERS:
        tower = getattr(importlib.import_module(module), name)
        if not getattr(tower.forward, "_rl_align", False):
            tower.forward = share(tower.forward)


install()
