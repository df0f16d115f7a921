"""A model folder's copy in another number format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any


def cast_folder(source: Path, out: Path, dtype: str, leave: Collection[str] = ()) -> None:
    """Copies a Hugging Face folder with its weights in `dtype`; integers stay what they are.

    Args:
        source: Folder with safetensors files.
        out: Folder to make.
        dtype: bfloat16, float16 or float32.
        leave: Names of files that are left out; folders are.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    wanted = getattr(torch, dtype)
    out.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_dir() or path.name in leave:
            continue
        if path.suffix != ".safetensors":
            shutil.copy2(path, out / path.name)
            continue
        tensors: dict[str, Any] = {}
        with safe_open(path, "pt") as weights:
            for name in weights.keys():
                tensor = weights.get_tensor(name)
                tensors[name] = tensor.to(wanted) if tensor.is_floating_point() else tensor
            metadata = weights.metadata()
        save_file(tensors, out / path.name, metadata=metadata)
    name_dtype(out / "config.json", dtype)
    _shrink(out / "model.safetensors.index.json", out)


def name_dtype(path: Path, dtype: str) -> None:
    """Has a configuration, and those of its halves, name a number format."""
    config = json.loads(path.read_bytes())
    for part in (config, *(value for key, value in config.items() if key.endswith("_config") and isinstance(value, dict))):
        for key in ("dtype", "torch_dtype"):
            if key in part:
                part[key] = dtype
    config.setdefault("dtype", dtype)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _shrink(path: Path, folder: Path) -> None:
    """Sets the total size that the index of a model in several files states."""
    if path.is_file():
        index = json.loads(path.read_bytes())
        index["metadata"]["total_size"] = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
