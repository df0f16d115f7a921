"""The model that a stage leaves behind, out of its last checkpoint: a Hugging Face folder, put in place whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from rl_align.engine.witness import WITNESS


def keep(checkpoint: Path, inner: str, out: Path, start: Path | None, dtype: str, whole: bool) -> None:
    """Copies the model of a checkpoint, or adds its adapter to the model that it was trained on.

    Args:
        checkpoint: Folder `global_step_N`.
        inner: Its Hugging Face folder, below it.
        out: Folder of the model; one that was there before is replaced.
        start: The model that the adapter belongs to; None for a checkpoint of a whole model.
        dtype: What the model is sampled in.
        whole: Whether weights stay as exact as they were trained; otherwise they are kept in `dtype`.
    """
    source = checkpoint / inner
    if not source.is_dir():
        raise RuntimeError(f"the last checkpoint has no model at {source}")
    partial = out.with_name(f".{out.name}.partial~")
    shutil.rmtree(partial, ignore_errors=True)
    if start is not None:
        _merge(source, partial, start, dtype, whole)
    elif not list(source.glob("*.safetensors")):
        from rl_align.models.shards import write_model

        write_model(source, source.parent, partial)
    elif whole:
        shutil.copytree(source, partial)
    else:
        from rl_align.models.cast import cast_folder

        cast_folder(source, partial, dtype)
    if (checkpoint / WITNESS).is_file():
        shutil.copy2(checkpoint / WITNESS, partial / WITNESS)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def _merge(source: Path, out: Path, start: Path, dtype: str, whole: bool) -> None:
    """The model with its adapter, which is kept in a folder of its own as well."""
    from rl_align.models import lora, shards
    from rl_align.models.cast import cast_folder

    scale = shards.lora_scale(source.parent)
    if scale is None:
        raise RuntimeError(f"the checkpoint {source.parent} does not say what its adapter counts")
    rank, alpha = scale
    adapter = shards.load(source.parent)
    if whole:
        lora.merge(start, adapter, alpha / rank, out, dtype)
    else:
        exact = out.with_name(f"{out.name}.exact")
        shutil.rmtree(exact, ignore_errors=True)
        lora.merge(start, adapter, alpha / rank, exact, dtype)
        cast_folder(exact, out, dtype)
        shutil.rmtree(exact)
    lora.beside(source, out)
    lora.write_adapter(adapter, rank, alpha, f"models/{start.name}", out / lora.ADAPTER)
