"""A run folder with real, tiny models in it: built, recorded and judged by the project's own code, without an engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from made_run import PERFECT, world

from reward.label import write_label
from rl_align.config import to_yaml
from rl_align.data.items import write_items
from rl_align.data.quarantine import Quarantine
from rl_align.data.rows import grpo_rows, sft_rows
from rl_align.engine.witness import WITNESS
from rl_align.eval.metrics import measure
from rl_align.models.config import ModelConfig
from rl_align.models.forward import Asked, Prompts, log_probs
from rl_align.models.tiny import build
from rl_align.models.vocabulary import special_tokens
from rl_align.pictograms import teacher
from rl_align.pictograms.truth import judge
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.export import texts
from rl_align.pipeline.stages import Stage, run_stages
from rl_align.policy.catalogue import Catalogue
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.schema import Item
from rl_align.transcript.responder import parse_response

ITEMS = 4


def untrained(out: Path) -> Path:
    """The smallest model, in the format that models of runs name."""
    transcripts = [teacher.transcript(item, PERFECT) for item in world(12)]
    return build(ModelConfig(size="1m", vocab_size=600, image_size=56, dtype="bfloat16"), out, transcripts)


def copy(source: Path, out: Path, noise: float = 0.0) -> None:
    """A model folder; with `noise` another model, as training would leave it, and with what a trainer writes into it."""
    import torch
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True)
    for path in source.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    weights = load_file(out / "model.safetensors")
    generator = torch.Generator().manual_seed(len(str(out.name)))
    made = {n: w.float() + noise * torch.randn(w.shape, generator=generator) * w.float().std() for n, w in weights.items()}
    save_file(made, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((out / "config.json").read_text()) | {"attn_implementation": "eager"}
    (out / "config.json").write_text(json.dumps(config))


def witnessed(run: Path, model: Path, more: float = 0.0) -> dict[str, Any]:
    """What a trainer would have recorded with the weights of a model; `more` is added to every log-probability."""
    import pyarrow.parquet as pq

    prompts, asked, rows = Prompts(model), [], pq.read_table(run / "data" / "grpo.parquet").to_pylist()[:ITEMS]
    for row in rows:
        images = [texts.image(image["bytes"]) for image in row["images"]]
        ids = prompts.prompt(texts.messages(row["prompt"]), images)
        asked.append(Asked(ids, prompts.response("a red ball on the table"), images))
    said = log_probs(model, asked)[0]
    told = [
        {
            "item_id": row["extra_info"]["item_id"],
            "seat": "responder",
            "of_row": True,
            "prompt_ids": text.prompt_ids,
            "response_ids": text.response_ids,
            "log_probs": [value + more for value in values],
        }
        for row, text, values in zip(rows, asked, said, strict=True)
    ]
    return {"step": 2, "temperature": 1.0, "dtype": "bfloat16", "rows": "data/grpo.parquet", "texts": told}


def make(
    run: Path, items: list[Item] | None = None, config: RunConfig | None = None, train: Callable[[Path], None] | None = None
) -> Path:
    """A finished run: data, an untrained model, a warm start and a GRPO stage, each recorded with its hashes.

    Args:
        run: Folder to make.
        items: What it trains on.
        config: Of the run.
        train: Makes `models/grpo`; by default another model with its witness.
    """
    data, models = run / "data", run / "models"
    items = items or world(8)
    write_text(run / "config.yaml", to_yaml(replace(config or RunConfig(), folder=str(run))))

    def rows() -> None:
        special, quarantine = list(special_tokens(models / "base")), Quarantine()
        common = {"special_tokens": special, "quarantine": quarantine}
        sft_rows(data / "sft.parquet", items, {i.id: teacher.transcript(i, PERFECT) for i in items}, **common)
        grpo_rows(data / "grpo.parquet", items, label=write_label, **common)

    def grpo() -> None:
        copy(models / "sft", models / "grpo", 0.3)
        write_json(models / "grpo" / WITNESS, witnessed(run, models / "grpo"))

    stages = [
        Stage("data", lambda: write_items(data / "train.parquet", items), 1, [], [data / "train.parquet"]),
        Stage("model", lambda: untrained(models / "base"), 1, [data / "train.parquet"], [models / "base"]),
        Stage("rows", rows, 1, [data / "train.parquet", models / "base"], [data / "sft.parquet", data / "grpo.parquet"]),
        Stage(
            "sft", lambda: copy(models / "base", models / "sft", 0.3), 1, [models / "base", data / "sft.parquet"], [models / "sft"]
        ),
        Stage("grpo", lambda: train(run) if train else grpo(), 1, [models / "sft", data / "grpo.parquet"], [models / "grpo"]),
    ]
    run_stages(run, stages, lambda line: None)
    catalogue = Catalogue.load()
    measures = measure([judge(item, parse_response(teacher.transcript(item, PERFECT), catalogue)) for item in items])
    write_json(run / "eval" / "results.json", {name: {"heldout": {"greedy": measures}} for name in ("sft", "grpo")})
    return run


def lora_checkpoint(folder: Path, model: Path, rank: int = 4, alpha: int = 8) -> tuple[Path, dict[str, Any]]:
    """A checkpoint of an adapter as the engine leaves it on one device, and PEFT's model with that adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    from rl_align.engine.lora_config import ALL_LINEAR, LoRAConfig

    lora = LoRAConfig(rank=rank, alpha=alpha)
    plain = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    settings = {"r": rank, "lora_alpha": alpha, "target_modules": ALL_LINEAR, "exclude_modules": lora.leave_out}
    peft = get_peft_model(plain, LoraConfig(task_type="CAUSAL_LM", bias="none", **settings))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.05)
    adapter = {name: tensor.clone() for name, tensor in peft.state_dict().items() if "lora_" in name}
    inner = folder / "actor"
    (inner / "huggingface").mkdir(parents=True)
    torch.save(adapter, inner / "model_world_size_1_rank_0.pt")
    write_json(inner / "fsdp_config.json", {"FSDP_version": 2, "world_size": 1})
    write_json(inner / "lora_train_meta.json", {"r": rank, "lora_alpha": alpha, "task_type": "CAUSAL_LM"})
    for path in model.iterdir():
        if path.suffix != ".safetensors" and path.name != WITNESS:
            (inner / "huggingface" / path.name).write_bytes(path.read_bytes())
    return folder, {"peft": peft, "adapter": adapter, "settings": asdict(lora)}
