"""Adapters: which layers a model has for them, an adapter as PEFT reads it, and its sum with the model.

A layer with an adapter computes `W x + (alpha / rank) B A x` (arXiv 2106.09685, section 4.1); merged, its weight is
`W + (alpha / rank) B A`, summed in float32.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rl_align.errors import UserError
from rl_align.models.cast import name_dtype
from rl_align.models.quiet import quiet

if TYPE_CHECKING:
    import torch

#: Folder of the adapter beside a model that it was merged into.
ADAPTER = "adapter"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_A = re.compile(r"base_model\.model\.(.+)\.lora_A\.(?:default\.)?weight")


def check_targets(model: Path, names: Sequence[str], leave_out: str, key: str) -> None:
    """Raises UserError for a name that ends no layer's that may get an adapter. Reads the headers of the model's files only.

    Args:
        model: Hugging Face folder.
        names: Ends of names.
        leave_out: What layers get none, by a pattern for their whole name.
        key: Where the names were given.
    """
    layers = {name.removesuffix(".weight") for name in _weights(model) if name.endswith(".weight")}
    layers = {layer for layer in layers if not re.fullmatch(leave_out, layer)}
    for name in names:
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            known = sorted({layer.rpartition(".")[2] for layer in layers if layer.endswith("_proj")})
            expected = f"some of {', '.join(known)}" if known else "the ends of names of its layers"
            raise UserError(f"no layer of {model} that may have an adapter is called {name!r}", where=key, expected=expected)


def merge(base: Path, adapter: Mapping[str, torch.Tensor], scale: float, out: Path, dtype: str) -> None:
    """Writes the sum of a model and an adapter.

    Args:
        base: Hugging Face folder of the model that the adapter was trained on.
        adapter: PEFT's names → tensors.
        scale: alpha / rank.
        out: Folder to make; it gets weights and configuration, and nothing of `base`'s other files.
        dtype: Number format that the configuration names; the weights are float32.

    Raises:
        UserError: A layer of the adapter's that the model does not have, or in another shape.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    with quiet():
        model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32, trust_remote_code=False)
    layers = dict(model.named_modules())
    with torch.no_grad():
        for layer, (down, up) in pairs(adapter).items():
            weight = getattr(layers.get(layer), "weight", None)
            if weight is None or weight.shape != (up.shape[0], down.shape[1]):
                found = "no such layer" if weight is None else f"a layer of shape {tuple(weight.shape)}"
                raise UserError(f"{found} for the adapter of {layer}", where=str(base), expected="the model it was trained on")
            weight += scale * (up.float() @ down.float())
    with quiet():
        model.save_pretrained(out)
    name_dtype(out / "config.json", dtype)


def pairs(adapter: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Layer → (A, B). Raises UserError for tensors that are no such pairs."""
    found = {}
    for name, down in adapter.items():
        if match := _A.fullmatch(name):
            up = adapter.get(name.replace(".lora_A.", ".lora_B."))
            if up is None:
                raise UserError("is half of an adapter", where=name)
            found[match[1]] = (down, up)
    if not found or 2 * len(found) != len(adapter):
        raise UserError(f"{len(adapter)} tensors are not the pairs of an adapter", expected="lora_A and lora_B of each layer")
    return found


def write_adapter(adapter: Mapping[str, torch.Tensor], rank: int, alpha: int, base: str, folder: Path) -> None:
    """Writes an adapter as PEFT reads it.

    Args:
        adapter: PEFT's names → tensors.
        rank: Of its matrices.
        alpha: See above.
        base: What it says of the model that it belongs to.
        folder: Folder to make.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    tensors = {name.replace(".default.weight", ".weight"): tensor.contiguous() for name, tensor in adapter.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    told = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        # Whole names, and no tower to leave out: the adapter's own layers and no others.
        "target_modules": sorted(pairs(adapter)),
    }
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def rank_of(folder: Path) -> tuple[int, int]:
    """(rank, alpha) of an adapter. Raises UserError where it does not say them."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        return int(config["r"]), int(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("does not say rank and alpha", where=str(folder / CONFIG), expected="an adapter") from error


def layers_of(folder: Path) -> list[str]:
    """Whole names of the layers that an adapter written here changes."""
    return [str(name) for name in json.loads((folder / CONFIG).read_bytes())["target_modules"]]


def beside(source: Path, out: Path) -> None:
    """Copies what belongs to a model beside weights and configuration: tokenizer, processor, chat template, generation settings."""
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.name.startswith(("model", "config.json")) and not (out / path.name).exists():
            shutil.copy2(path, out / path.name)


def _weights(model: Path) -> set[str]:
    """Names of the tensors in a model's files."""
    names: set[str] = set()
    for path in sorted(model.glob("*.safetensors")):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > path.stat().st_size:
                raise UserError("is damaged", where=str(path), expected="a safetensors file")
            names |= set(json.loads(file.read(size)))
    return names - {"__metadata__"}
