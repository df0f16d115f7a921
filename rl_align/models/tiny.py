"""Build a small vision-language model from nothing: tokenizer, processor and initial weights in one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rl_align.errors import UserError
from rl_align.models.config import ModelConfig
from rl_align.models.quiet import quiet
from rl_align.models.registry import architecture, pick

if TYPE_CHECKING:
    from torch import nn

#: The model's embedding is padded to a multiple of this many rows, as kernels like it.
VOCAB_MULTIPLE = 64

#: Layers that write into the residual stream.
_RESIDUAL = ("o_proj.weight", "down_proj.weight", "attn.proj.weight", "linear_fc2.weight")


def build(cfg: ModelConfig, out: Path, corpus: Iterable[str]) -> Path:
    """Write a model that transformers and vLLM load by its folder, or return the existing folder that `cfg.path` names.

    The folder appears under its name only when it is complete; one that was there before is replaced. The same config
    and corpus give the same bytes.

    Args:
        cfg: Architecture, size, seed and type.
        out: Folder to write.
        corpus: Texts to train the tokenizer on.

    Returns:
        The folder that holds the model: `out`, or `cfg.path`.

    Raises:
        UserError: Unknown architecture, size or dtype, too small a vocabulary, or `cfg.path` is no model folder.
    """
    if cfg.path is not None:
        return _existing(Path(cfg.path))
    arch = architecture(cfg.architecture)
    size = pick(arch.sizes, cfg.size, "model.size")

    import torch
    import transformers

    from rl_align.models import tokenizer as tokenizers

    dtype = pick({"float32": torch.float32, "bfloat16": torch.bfloat16}, cfg.dtype, "model.dtype")
    try:
        tokenizer = tokenizers.train(corpus, cfg.vocab_size)
    except ValueError as error:
        raise UserError(str(error), where="model.vocab_size", fix="use 512 or more") from error
    rows = max(-(-len(tokenizer) // VOCAB_MULTIPLE) * VOCAB_MULTIPLE, size.vocab_rows)
    config = arch.config(size, tokenizer, rows)
    config.architectures = [arch.model_class]
    with torch.random.fork_rng(devices=[]):
        model = getattr(transformers, arch.model_class)(config)
    initialise(model, cfg.seed)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=[tokenizer.eos_token_id], pad_token_id=tokenizer.pad_token_id, do_sample=True
    )

    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with quiet():
            model.to(dtype).save_pretrained(partial)
        arch.processor(tokenizer, cfg.image_size).save_pretrained(partial)
        _replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def initialise(model: nn.Module, seed: int) -> None:
    """Set weights for training from nothing, in place, a function of the seed and the shapes only.

    Matrices are drawn with standard deviation 1/√fan_in (the usual 0.02 is meant for widths of thousands and starves
    the gradient at a few hundred); matrices that write into the residual stream are divided by √(2 · depth) (GPT-2,
    Radford et al. 2019). Embeddings and the output layer keep 0.02: the untrained policy is close to uniform. Norms are
    1, biases 0.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    depth = {"visual": model.config.vision_config.depth, "language": model.config.text_config.num_hidden_layers}
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if parameter.ndim == 1:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            elif "embed_tokens" in name or "lm_head" in name or "pos_embed" in name:
                parameter.normal_(0.0, 0.02, generator=generator)
            else:
                std = parameter[0].numel() ** -0.5
                if name.endswith(_RESIDUAL) and "merger" not in name:
                    std /= (2 * depth["visual" if ".visual." in name else "language"]) ** 0.5
                parameter.normal_(0.0, std, generator=generator)


def _existing(path: Path) -> Path:
    if not (path / "config.json").is_file():
        raise UserError(
            "no Hugging Face model here",
            where=str(path),
            expected="a folder with config.json, weights and tokenizer",
            fix="set model.path to such a folder, or leave it out to build a small model",
        )
    return path


def _replace(partial: Path, out: Path) -> None:
    """Give `partial` its final name; an older folder of that name steps aside first."""
    if not out.exists():
        os.replace(partial, out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    os.replace(out, old)
    os.replace(partial, out)
    shutil.rmtree(old, ignore_errors=True)
