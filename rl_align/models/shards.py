"""The weights of a training checkpoint, out of the files of its ranks (FSDP2), as whole tensors.

A checkpoint is a pickle. It is read with torch's restricted unpickler, which builds tensors and nothing else; read it only after
its hashes have been compared all the same.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.errors import UserError
from rl_align.models.quiet import quiet

if TYPE_CHECKING:
    import torch

#: What the engine says of the adapter beside its weights.
LORA_META = "lora_train_meta.json"
_FSDP = "fsdp_config.json"


def load(folder: Path) -> dict[str, torch.Tensor]:
    """Name → tensor, on the CPU, in the format that it was saved in.

    Args:
        folder: Folder with `model_world_size_N_rank_R.pt`; verified by the caller.

    Raises:
        UserError: Files of ranks are missing, or as `join`.
    """
    import torch
    import torch.distributed.tensor  # noqa: F401 (its tensors are among those that the unpickler may build)

    ranks = _world_size(folder)
    states: list[dict[str, Any]] = []
    for rank in range(ranks):
        path = folder / f"model_world_size_{ranks}_rank_{rank}.pt"
        if not path.is_file():
            raise UserError("the weights of a rank are missing", where=str(path), expected=f"files of {ranks} ranks")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            states.append(torch.load(path, map_location="cpu", weights_only=True))
    return join(states, str(folder))


def join(states: Sequence[Mapping[str, Any]], where: str) -> dict[str, torch.Tensor]:
    """Whole tensors out of those of the ranks, in the order of the ranks.

    Args:
        states: Name → tensor of each rank; what was sharded is a DTensor.
        where: What messages call them.

    Raises:
        UserError: The ranks differ, or were sharded in another way than along one axis of devices.
    """
    import torch
    from torch.distributed.tensor import DTensor

    if any(set(state) != set(states[0]) for state in states):
        raise UserError("its ranks hold other tensors", where=where, expected="one checkpoint")
    whole: dict[str, torch.Tensor] = {}
    for name, first in states[0].items():
        if not isinstance(first, DTensor):
            whole[name] = first
            continue
        place = f"{where}: {name}"
        if len(first.placements) != 1:
            raise UserError(f"is sharded along {len(first.placements)} axes of devices", where=place, expected="one (FSDP2)")
        placement = first.placements[0]
        local = [state[name]._local_tensor for state in states]
        if placement.is_replicate():
            whole[name] = local[0]
            continue
        if not placement.is_shard():
            raise UserError(f"is placed as {placement}", where=place, expected="sharded or replicated")
        whole[name] = torch.cat(local, dim=placement.dim)
        if whole[name].shape != first.shape:
            raise UserError(f"its pieces make {tuple(whole[name].shape)}", where=place, expected=str(tuple(first.shape)))
    return whole


def write_model(like: Path, folder: Path, out: Path) -> None:
    """Writes the whole weights of a checkpoint as a Hugging Face folder.

    Args:
        like: Hugging Face folder with the model's configuration, tokenizer and processor, and no weights.
        folder: As `load` reads it.
        out: Folder to make.

    Raises:
        UserError: As `load`; or the weights are not those of such a model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    state = load(folder)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(like, trust_remote_code=False))
    found = model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    empty = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    if empty or found.unexpected_keys:
        what = f"{len(empty)} weights are missing and {len(found.unexpected_keys)} are not the model's"
        raise UserError(what, where=str(folder), expected=f"the weights of {like}")
    shutil.copytree(like, out)
    config = (out / "config.json").read_bytes()
    with quiet():
        model.save_pretrained(out)
    (out / "config.json").write_bytes(config)


def lora_scale(folder: Path) -> tuple[int, int] | None:
    """(rank, alpha) of the adapter of a checkpoint; None for one of a whole model."""
    meta = _read(folder / LORA_META)
    if meta is None:
        return None
    try:
        rank, alpha = int(meta["r"]), int(meta["lora_alpha"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("does not say rank and alpha", where=str(folder / LORA_META)) from error
    if rank < 1 or alpha < 1:
        raise UserError(f"rank {rank}, alpha {alpha}", where=str(folder / LORA_META), expected="positive numbers")
    return rank, alpha


def _world_size(folder: Path) -> int:
    told = (_read(folder / _FSDP) or {}).get("world_size")
    if not isinstance(told, int) or told < 1:
        expected = "a checkpoint of the engine"
        raise UserError("does not say how many ranks saved it", where=str(folder / _FSDP), expected=expected)
    return told


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
