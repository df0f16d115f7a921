"""Writes the files of a model as others load them: weights in the format that their configuration names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from rl_align.engine.witness import WITNESS
from rl_align.errors import UserError
from rl_align.models.cast import cast_folder
from rl_align.models.lora import ADAPTER, CONFIG, WEIGHTS
from rl_align.pipeline.export.source import Source, check_start
from rl_align.pipeline.kept import keep

#: What a vision-language model needs beside its weights; of each line one file.
NEEDED = (
    ("tokenizer.json", "tokenizer.model", "vocab.json"),
    ("tokenizer_config.json",),
    ("processor_config.json", "preprocessor_config.json"),
    ("chat_template.jinja", "chat_template.json"),
)
#: How the trainer attended. Who loads the model has other kernels.
_TRAINERS = ("attn_implementation", "_attn_implementation")
BASE = "base"


def write(source: Source, out: Path, keep_adapter: bool) -> Path:
    """Writes a model.

    Args:
        source: Verified.
        out: Folder to make.
        keep_adapter: Leave the adapter beside the model that it belongs to, in `out/base`, and do not add them up.

    Returns:
        The witness of its trainer, where there is one, else a path that does not exist.

    Raises:
        UserError: No adapter to keep, or a file without which the model cannot be used.
    """
    folder = source.folder
    if source.inner is not None:
        folder = out.with_name(f"{out.name}.checkpoint")
        shutil.rmtree(folder, ignore_errors=True)
        start = check_start(source) if _has_adapter(source) else None
        keep(source.folder, source.inner, folder, start, source.config.engine.rollout_dtype, True)
    try:
        adapter = folder / ADAPTER
        if keep_adapter:
            if not (adapter / CONFIG).is_file():
                what = f"{source.name} was trained without LoRA: there is no adapter to keep"
                raise UserError(what, where="--keep-adapter", fix="leave it out")
            _copy(check_start(source), out / BASE)
            for name in (CONFIG, WEIGHTS):
                shutil.copy2(adapter / name, out / name)
            _name_base(out / CONFIG)
            for path in sorted((out / BASE).iterdir()):  # tokenizer and processor are found in both places
                if path.suffix != ".safetensors" and path.name not in ("config.json", "model.safetensors.index.json"):
                    shutil.copy2(path, out / path.name)
        else:
            _copy(folder, out)
        witness = out.with_name(f"{out.name}.{WITNESS}")
        if (folder / WITNESS).is_file():
            shutil.copy2(folder / WITNESS, witness)
        return witness
    finally:
        if source.inner is not None:
            shutil.rmtree(folder, ignore_errors=True)


def dtype_of(folder: Path) -> str:
    """Number format that a model's configuration names. Raises UserError for one that is none."""
    config = _json(folder / "config.json")
    dtype = config.get("dtype") or config.get("torch_dtype") or "bfloat16"
    if dtype not in ("bfloat16", "float16", "float32"):
        raise UserError(f"dtype {str(dtype)[:40]!r}", where=str(folder / "config.json"), expected="bfloat16, float16 or float32")
    return str(dtype)


def _has_adapter(source: Source) -> bool:
    from rl_align.models.shards import lora_scale

    return lora_scale((source.folder / str(source.inner)).parent) is not None


def _copy(folder: Path, out: Path) -> None:
    """A model in the number format that its configuration names."""
    dtype = dtype_of(folder)
    if not list(folder.glob("*.safetensors")):
        raise UserError("has no safetensors", where=str(folder), expected="a Hugging Face folder with weights")
    cast_folder(folder, out, dtype, leave=(WITNESS, "README.md"))
    config = _json(out / "config.json")
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        for key in _TRAINERS:
            part.pop(key, None)
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for names in NEEDED:
        templated = "chat_template.jinja" in names and "chat_template" in _json(out / "tokenizer_config.json")
        if not templated and not any((out / name).is_file() for name in names):
            raise UserError(f"has no {names[0]}", where=str(folder), expected="tokenizer, processor and chat template")
    if not (out / "generation_config.json").is_file():
        from transformers import AutoConfig, GenerationConfig

        GenerationConfig.from_model_config(AutoConfig.from_pretrained(out, trust_remote_code=False)).save_pretrained(out)


def _name_base(path: Path) -> None:
    config = _json(path)
    config["base_model_name_or_path"] = BASE
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError("cannot be read", where=str(path), expected="a JSON file of a Hugging Face folder") from error
    if not isinstance(value, dict):
        raise UserError("is no object", where=str(path), expected="a JSON file of a Hugging Face folder")
    return value
