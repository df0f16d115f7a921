"""What a run will do, in plain words: batch arithmetic, and an estimate of memory and time. Nothing is started.

Memory of training, per device (mixed precision with AdamW; ZeRO, arXiv 1910.02054, table 1, here with float32 gradients):
`(4 weights + 4 gradients + 8 moments) bytes × parameters / training devices + 2 bytes × parameters` for the working copy, plus
activations; with LoRA gradients and moments are those of the adapter, and next to nothing. Floating point operations: 2 ×
parameters × tokens for a forward pass, 6 × for forward and backward (arXiv 2001.08361).
Time is operations over `SUSTAINED` throughput: an estimate of order, not a measurement.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from rl_align.data.training_set import described
from rl_align.engine.config import GRPOConfig, Platform, SFTConfig
from rl_align.pipeline.config import RunConfig, Source, Trained
from rl_align.pipeline.cotrain import Mode, in_round, shared_grpo
from rl_align.pipeline.rewriter import UNALIGNED

#: Sustained operations a second of one device in training: two CPU cores with AVX-512; an 80 GB GPU at 35 % of 989 TFLOP/s.
SUSTAINED = {Platform.cpu: 1.5e11, Platform.cuda: 3.5e14}
#: What a decoding step costs beside its operations on a CPU, seconds; requests of a batch share it.
DECODE_STEP_S = {Platform.cpu: 0.012, Platform.cuda: 0.02}
#: Seconds until the first step.
READY_S = {Platform.cpu: 45, Platform.cuda: 180}
#: Answers a second that the client of an evaluation handles.
ANSWERS_S = 80
#: What the engine's processes hold on a CPU while the tiny model trains (measured).
ENGINE_BYTES = 1e10
#: Parameters of the sizes that `rl_align.models` builds.
BUILT = {"1m": 0.9e6, "3m": 4.1e6, "30m": 30.7e6, "100m": 98.8e6, "3b": 3.75e9}


def explain(config: RunConfig) -> list[str]:
    """Lines for a person, without a prefix."""
    c, g = config, config.grpo
    devices = c.engine.nodes * c.engine.devices_per_node
    longest = g.max_prompt_tokens + g.max_response_tokens
    replicas = max(1, devices // c.engine.tensor_parallel)
    lines = [f"run folder {c.folder}; {c.engine.platform.value}, {devices} training device(s), {replicas} vLLM replica(s)"]
    if c.source is Source.dataset:
        line, rows = described(c.dataset)
        asked = g.steps * g.prompts_per_step
        lines.append(line + (f"; GRPO asks {asked} prompts, {asked / rows:.1f} times each" if rows else ""))
    lines += [line for stage in plan(c) for line in stage.lines(devices, c.engine.micro_batch_tokens)]
    if Trained.rewriter in c.seats and c.cotrain.mode is not Mode.shared and c.rewriter.from_run is None:
        grpo, near = c.rewriter.grpo, c.rewriter
        asked = grpo.prompts_per_step * grpo.rollouts_per_prompt * near.target.samples
        lines.append(f"rewriter: at most {asked} answers of its target ({near.target_model}) a step")
    if c.cotrain.mode is Mode.alternate:
        seats = {"rewriter": c.rewriter.grpo, "responder": g}
        for seat, grpo in seats.items():
            rounds = [in_round(grpo, r, c.cotrain) for r in range(1, c.cotrain.rounds + 1)]
            rates = ", ".join(f"{s.learning_rate:.2g} {s.lr_schedule}" for s in rounds)
            lines.append(f"{seat}: learning rate by round {rates}")
    parameters = count_parameters(config)
    if parameters is None:
        return [*lines, "memory and time: unknown, because the model is not there yet"]
    adapted = all(stage.settings.lora.rank for stage in plan(c))
    train = memory_bytes(parameters, devices, adapted)
    rollout = 2 * parameters / c.engine.tensor_parallel
    kind = "process" if c.engine.platform is Platform.cpu else "GPU"
    lines.append(
        f"memory (estimate): {parameters / 1e6:,.1f} M parameters; training {_gb(train)} a {kind} plus activations, "
        f"vLLM {_gb(rollout)} of weights plus its KV cache"
    )
    if c.engine.platform is Platform.cpu:
        lines[-1] += f"; the processes of the engine {_gb(ENGINE_BYTES)} together"
    times = ", ".join(f"{stage} {_minutes(seconds)}" for stage, seconds in time_s(config, parameters, devices).items())
    lines.append(f"time (estimate of order, all texts at full length, rollouts {longest} tokens): {times}")
    return lines


@dataclass(frozen=True)
class Trains:
    """A stage that trains.

    Attributes:
        name: Its name.
        settings: An SFTConfig or a GRPOConfig.
        hops: Texts that a rollout costs: the rewriter's have an answer of the target each.
    """

    name: str
    settings: SFTConfig | GRPOConfig
    hops: int = 1

    def lines(self, devices: int, tokens: int = 0) -> list[str]:
        """Its batch arithmetic, for a person; `tokens` are those of a micro-batch, 0 where it has a fixed number of rows."""
        s = self.settings
        micro = f"micro-batches of {f'at most {tokens} tokens' if tokens else s.micro_batch_size}"
        if isinstance(s, SFTConfig):
            return [
                f"{self.name}: {s.steps} steps × {s.batch_size} transcripts = {s.steps * s.batch_size} transcripts, "
                f"{s.batch_size // devices} a device and step in {micro}"
            ]
        rollouts = s.prompts_per_step * s.rollouts_per_prompt
        lines = [
            f"{self.name}: {s.steps} steps × {s.prompts_per_step} prompts × {s.rollouts_per_prompt} rollouts = "
            f"{s.steps * rollouts} rollouts of at most {s.max_response_tokens} tokens; one optimizer step a batch of {rollouts}",
            f"{self.name}: {rollouts // devices} rollouts a device and step in {micro}; checkpoints every {s.save_every} steps, "
            f"the last {s.keep_checkpoints} kept",
        ]
        if s.dynamic_sampling:
            lines.append(f"{self.name}: dynamic sampling replaces groups without signal, so more prompts are generated")
        return lines


def plan(c: RunConfig) -> list[Trains]:
    """The stages of a run that train, in order."""
    trained, rewrites, mode = Trained.responder in c.seats, Trained.rewriter in c.seats, c.cotrain.mode
    eyes = c.model.path is None and c.source is Source.pictograms and c.pretrain.steps > 0
    stages = [Trains("pretrain", c.pretrain)] if eyes else []
    if mode is Mode.shared:
        return [*stages, Trains("shared_sft", c.cotrain.sft), Trains("shared", shared_grpo(c))]
    if c.warm_start and (trained or c.rewriter.target_model == "sft"):
        stages.append(Trains("sft", c.sft))
    if trained and mode is Mode.none:
        stages.append(Trains("grpo", c.grpo))
    if rewrites:
        stages += [Trains("target", c.rewriter.target_sft)] if c.rewriter.target_model == UNALIGNED else []
        own = c.rewriter.from_run is None
        stages += [Trains("rewriter_sft", c.rewriter.sft)] if own else []
        stages += [Trains("rewriter_grpo", c.rewriter.grpo, 2)] if own and mode is Mode.none else []
    for r in range(1, c.cotrain.rounds + 1) if mode is Mode.alternate else ():
        rewriter, responder = (in_round(grpo, r, c.cotrain) for grpo in (c.rewriter.grpo, c.grpo))
        stages.append(Trains(f"rewriter_round_{r}", replace(rewriter, steps=c.cotrain.rewriter_steps), 2))
        stages.append(Trains(f"responder_round_{r}", replace(responder, steps=c.cotrain.responder_steps)))
    return stages


def memory_bytes(parameters: float, devices: int, adapted: bool = False) -> float:
    """Bytes of one training device for weights, gradients, moments and the working copy; `adapted`: with LoRA in every stage."""
    return (4 if adapted else 16) * parameters / devices + 2 * parameters


def time_s(config: RunConfig, parameters: float, devices: int) -> dict[str, float]:
    """Stage → seconds, of the stages that compute."""
    c = config
    speed = SUSTAINED[c.engine.platform] * devices
    ready = READY_S[c.engine.platform]
    times = {}
    trained, rewrites, near = Trained.responder in c.seats, Trained.rewriter in c.seats, c.rewriter
    for stage in plan(c):
        began = ready / 4 if isinstance(stage.settings, SFTConfig) else ready
        times[stage.name] = began + stage.settings.steps * step_s(stage, c, parameters, devices)
    if c.evaluate and trained and c.cotrain.mode is not Mode.shared:
        items = c.eval.limit or c.pictograms.heldout_harmful + c.pictograms.heldout_benign
        models = len(c.eval.models) or (3 if c.warm_start else 2)
        times["eval"] = ready + _answering(c, parameters, models * 2 * (2 if c.eval.sampled else 1) * items, speed)
    if c.evaluate and rewrites:
        items = near.matrix_items or c.pictograms.heldout_harmful + c.pictograms.heldout_benign
        rounds = {Mode.none: 1, Mode.alternate: c.cotrain.rounds, Mode.shared: 1}[c.cotrain.mode]
        responders = trained * (1 + rounds) + (near.target_model == UNALIGNED)
        times["matrix"] = 2 * ready + _answering(c, parameters, (1 + rounds + (2 + rounds) * responders) * 2 * items, speed)
    return times


def step_s(stage: Trains, c: RunConfig, parameters: float, devices: int) -> float:
    """Seconds of a step."""
    r, speed = stage.settings, SUSTAINED[c.engine.platform] * devices
    if isinstance(r, SFTConfig):
        return 6 * parameters * r.batch_size * r.max_tokens / 2 / speed
    tokens = r.prompts_per_step * r.rollouts_per_prompt * (r.max_prompt_tokens + r.max_response_tokens)
    generate = stage.hops * (r.max_response_tokens * DECODE_STEP_S[c.engine.platform] + 2 * parameters * tokens / speed)
    extra = 2 if r.old_log_probs == "recompute" else 0
    extra += 2 if r.kl_coef > 0 else 0
    return generate + (6 + extra) * parameters * tokens / speed


def _answering(c: RunConfig, parameters: float, answers: int, speed: float) -> float:
    return 2 * parameters * answers * c.eval.server.max_model_len / speed + answers / ANSWERS_S


def count_parameters(config: RunConfig) -> float | None:
    """Parameters of the model; None when it is not there yet."""
    if config.model.path is None:
        return BUILT.get(config.model.size)
    folder = Path(config.model.path)
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return json.loads(index.read_text())["metadata"]["total_size"] / _width(folder)
    weights = list(folder.glob("*.safetensors"))
    return sum(w.stat().st_size for w in weights) / _width(folder) if weights else None


def _width(folder: Path) -> int:
    """Bytes of one weight in a model's files."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return 2
    return 4 if "float32" in (config.get("dtype"), config.get("torch_dtype")) else 2


def _gb(size: float) -> str:
    return f"{size / 1e9:.2g} GB"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
