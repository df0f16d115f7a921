"""Settings of the engine and of the two training stages. Importable without torch, ray, vllm or verl."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from reward.credit import ESTIMATORS
from rl_align.errors import UserError
from rl_align.transcript.prompts import RESPONDER_SYSTEM

from .lora_config import LoRAConfig, problems_of


class Platform(str, Enum):
    """Which devices the engine runs on."""

    cpu = "cpu"
    cuda = "cuda"


@dataclass
class EngineConfig:
    """Where and how the engine runs; the same for SFT and GRPO.

    Attributes:
        platform: cpu or cuda.
        nodes: Machines.
        devices_per_node: GPUs of a node; on a CPU logical slots, one training rank each.
        tensor_parallel: Devices of one vLLM replica.
        rollout_dtype: Number format of vLLM.
        train_dtype: Number format of forward and backward passes; master weights are float32.
        gpu_memory_utilization: Share of a GPU's memory that vLLM may take.
        kv_cache_gb: Memory for vLLM's KV cache on a CPU.
        threads: Threads of a process that computes; 0 means all cores.
        rollout_threads: The same for vLLM's server on a CPU; 0 means as many as `threads`. A model of a few million parameters
            samples faster with 1: its server, its client and its engine run at the same time.
        remove_padding: Pack sequences without padding (needs flash-attention).
        attention: Attention of the trainer: eager, sdpa, flash_attention_2, or auto, which is flash_attention_2 where flash-attn
            is installed and sdpa without packing where it is not. On a CPU, for sequences of a few hundred tokens, eager is a third
            faster than sdpa, whose backward pass is slow there.
        micro_batch_tokens: Tokens of one forward pass on one device: as many rows as fit, in place of `micro_batch_size` rows; 0
            for a fixed number of rows.
        gradient_checkpointing: Trade compute for memory in the backward pass.
        offload: Keep parameters and optimizer in host memory between uses.
        share_images: Run the vision tower once for all siblings of a forward pass that show the same image.
        save_state: Whether checkpoints hold what resuming needs: master weights and the optimizer's, 12 bytes a parameter beside
            the model. Without it a stage that is interrupted starts over, and what it makes is kept in `rollout_dtype` only: for a
            model that the disk does not hold three times.
        deadline_minutes: A stage that takes longer is ended with an error.
        step_deadline_s: A batch that takes longer to sample ends the run with an error.
        extra: verl settings of GRPO by their own names (`key=value`), for what has no name here; checked against the installed
            verl.
        extra_sft: The same for SFT.
    """

    platform: Platform = Platform.cpu
    nodes: int = 1
    devices_per_node: int = 1
    tensor_parallel: int = 1
    rollout_dtype: str = "bfloat16"
    train_dtype: str = "bfloat16"
    gpu_memory_utilization: float = 0.6
    kv_cache_gb: int = 1
    threads: int = 0
    rollout_threads: int = 0
    remove_padding: bool = False
    attention: str = "eager"
    micro_batch_tokens: int = 0
    gradient_checkpointing: bool = False
    offload: bool = False
    share_images: bool = True
    save_state: bool = True
    deadline_minutes: float = 60.0
    step_deadline_s: float = 300.0
    extra: list[str] = field(default_factory=list)
    extra_sft: list[str] = field(default_factory=list)


@dataclass
class SFTConfig:
    """Supervised warm start.

    Attributes:
        steps: Optimizer steps.
        batch_size: Transcripts of one step.
        micro_batch_size: Transcripts of one forward pass on one device.
        learning_rate: Peak, after a linear warm-up and before a cosine decay.
        warmup_share: Share of the steps spent warming up.
        weight_decay: AdamW's.
        beta2: AdamW's memory of squared gradients; a long one lets the first, large gradients slow down all that follows.
        clip_grad: Largest norm of the gradient.
        max_tokens: Longest transcript, prompt included; longer ones are dropped and counted.
        save_every: Steps between checkpoints.
        keep_checkpoints: Checkpoints kept.
        seed: Order of the transcripts.
        lora: Adapters in place of all weights; off by default.
    """

    steps: int = 1200
    batch_size: int = 32
    micro_batch_size: int = 32
    learning_rate: float = 1.5e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.01
    beta2: float = 0.95
    clip_grad: float = 1.0
    max_tokens: int = 256
    save_every: int = 300
    keep_checkpoints: int = 2
    seed: int = 0
    lora: LoRAConfig = field(default_factory=LoRAConfig)


@dataclass
class GRPOConfig:
    """Reinforcement learning with group-relative advantages.

    Attributes:
        steps: Optimizer steps, one a batch.
        prompts_per_step: Prompts (groups) of one batch.
        rollouts_per_prompt: Rollouts of one prompt (the group size).
        micro_batch_size: Rollouts of one forward pass on one device.
        learning_rate: Peak, after a linear warm-up.
        lr_schedule: constant, or cosine down to a tenth: the noise of small batches moves a policy as long as its steps are large.
        warmup_steps: Steps of linear warm-up.
        weight_decay: AdamW's.
        clip_grad: Largest norm of the gradient.
        clip_low: Lower clip of the probability ratio.
        clip_high: Upper clip (clip-higher of DAPO, arXiv 2503.14476).
        estimator: grpo, dr_grpo or gdpo (see `reward/credit.py`).
        loss_aggregation: token-mean, seq-mean-token-sum or seq-mean-token-mean.
        kl_coef: Weight of the KL term against the warm start; 0 leaves the reference model out.
        entropy_coef: Weight of the entropy bonus.
        temperature: Of sampling.
        top_p: Of sampling; below 1 the sampled distribution is not the policy's, so rollout correction is needed.
        max_prompt_tokens: Longest prompt, images included; longer ones are dropped and counted.
        max_response_tokens: Longest response.
        mask_truncated: Leave truncated rollouts out of the loss instead of penalising them.
        dynamic_sampling: Replace groups without signal before the update (DAPO).
        max_inflight_batches: Batches that dynamic sampling may have in flight.
        old_log_probs: "rollout" takes vLLM's log-probabilities as the old ones and measures the mismatch every
            `correlation_every` steps; "recompute" recomputes and measures at every step.
        correlation_every: Steps between measurements of the rollout/trainer probability correlation.
        correlation_alarm: A measured correlation below this raises an alarm.
        save_every: Steps between checkpoints.
        keep_checkpoints: Checkpoints kept.
        seed: Order of the prompts and sampling.
        lora: Adapters in place of all weights; off by default. The KL term is then against the model without the adapter.
    """

    steps: int = 80
    prompts_per_step: int = 16
    rollouts_per_prompt: int = 8
    micro_batch_size: int = 128
    learning_rate: float = 3.0e-4
    lr_schedule: str = "constant"
    warmup_steps: int = 5
    weight_decay: float = 0.0
    clip_grad: float = 1.0
    clip_low: float = 0.2
    clip_high: float = 0.28
    estimator: str = "grpo"
    loss_aggregation: str = "token-mean"
    kl_coef: float = 0.0
    entropy_coef: float = 0.0
    temperature: float = 1.0
    top_p: float = 1.0
    max_prompt_tokens: int = 128
    max_response_tokens: int = 160
    mask_truncated: bool = False
    dynamic_sampling: bool = False
    max_inflight_batches: int = 1
    old_log_probs: str = "rollout"
    correlation_every: int = 10
    correlation_alarm: float = 0.99
    save_every: int = 20
    keep_checkpoints: int = 2
    seed: int = 0
    lora: LoRAConfig = field(default_factory=LoRAConfig)


LOSS_AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm")
OLD_LOG_PROBS = ("rollout", "recompute")
LR_SCHEDULES = ("constant", "cosine")
DTYPES = ("bfloat16", "float16", "float32")
AUTO, FLASH = "auto", "flash_attention_2"
ATTENTIONS = (AUTO, "eager", "sdpa", FLASH)


@dataclass
class TargetConfig:
    """How a rewriter's frozen target answers.

    Attributes:
        samples: Answers to each rewrite; more than one needs a temperature.
        temperature: Of its sampling; at 0 equal rewrites of an item cost one answer.
        top_p: Of its sampling.
        max_tokens: Longest answer.
        seed: Of its sampling; the endpoint adds the index of the sample.
        system: System message in front of the prompt; None for none. The project's own responders are asked with theirs.
        special_tokens: Texts that the target's tokenizer treats as more than text; a rewrite that spells them is made harmless.
        max_failed_share: Above this share of rewrites that it did not answer the run stops with an error.
        min_calls: Rewrites before the share counts.
        window: Latest rewrites that the share is taken over.
    """

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 160
    seed: int = 0
    system: Optional[str] = RESPONDER_SYSTEM  # noqa: UP045 (OmegaConf reads the annotation at run time)
    special_tokens: list[str] = field(default_factory=list)
    max_failed_share: float = 0.5
    min_calls: int = 64
    window: int = 256

    def __post_init__(self) -> None:
        for key in ("samples", "max_tokens", "min_calls"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=f"target.{key}", expected="1 or more")
        if self.temperature < 0:
            raise UserError(f"is {self.temperature}", where="target.temperature", expected="0 or more")
        if self.samples > 1 and self.temperature == 0:
            what = f"{self.samples} samples at temperature 0 are one sample"
            raise UserError(what, where="target.samples", fix="set target.temperature above 0")
        if not 0 <= self.max_failed_share <= 1:
            raise UserError(f"is {self.max_failed_share}", where="target.max_failed_share", expected="a share between 0 and 1")
        if self.window < self.min_calls:
            raise UserError(f"is {self.window}", where="target.window", expected=f"{self.min_calls} (target.min_calls) or more")


@dataclass
class EpisodeConfig:
    """Texts that one policy in both seats writes for a prompt.

    Attributes:
        originals: Answers to the prompt itself: they keep the responder safe without the rewriter, and are what rewrites are
            compared with.
        rewrites: Rewrites of the prompt.
        answers: Answers to each rewrite.
    """

    originals: int = 4
    rewrites: int = 4
    answers: int = 2

    def __post_init__(self) -> None:
        for key in ("originals", "rewrites", "answers"):
            if getattr(self, key) < 2:
                raise UserError(f"is {getattr(self, key)}", where=f"episode.{key}", expected="2 or more, or nothing competes")

    @property
    def texts(self) -> int:
        """Trained texts of one prompt."""
        return self.originals + self.rewrites * (1 + self.answers)


def check(engine: EngineConfig, sft: SFTConfig, grpo: GRPOConfig) -> list[tuple[str, str, str]]:
    """What is wrong with these settings, as (key, problem, expected); empty when nothing is."""
    problems = []

    def need(ok: bool, key: str, problem: object, expected: str) -> None:
        if not ok:
            problems.append((key, f"is {problem}", expected))

    for key, value in (
        ("engine.nodes", engine.nodes),
        ("engine.devices_per_node", engine.devices_per_node),
        ("engine.tensor_parallel", engine.tensor_parallel),
        ("engine.kv_cache_gb", engine.kv_cache_gb),
        ("engine.deadline_minutes", engine.deadline_minutes),
        ("engine.step_deadline_s", engine.step_deadline_s),
        ("sft.learning_rate", sft.learning_rate),
        ("sft.max_tokens", sft.max_tokens),
        ("grpo.learning_rate", grpo.learning_rate),
        ("grpo.temperature", grpo.temperature),
        ("sft.steps", sft.steps),
        ("sft.batch_size", sft.batch_size),
        ("sft.micro_batch_size", sft.micro_batch_size),
        ("grpo.steps", grpo.steps),
        ("grpo.prompts_per_step", grpo.prompts_per_step),
        ("grpo.micro_batch_size", grpo.micro_batch_size),
        ("grpo.max_prompt_tokens", grpo.max_prompt_tokens),
        ("grpo.max_response_tokens", grpo.max_response_tokens),
        ("grpo.correlation_every", grpo.correlation_every),
    ):
        need(value > 0, key, value, "a positive number")
    for key, steps in (("sft", sft), ("grpo", grpo)):
        need(steps.save_every > 0, f"{key}.save_every", steps.save_every, "a positive number")
        need(steps.keep_checkpoints > 0, f"{key}.keep_checkpoints", steps.keep_checkpoints, "a positive number")
    for key, value, known in (
        ("engine.rollout_dtype", engine.rollout_dtype, DTYPES),
        ("engine.train_dtype", engine.train_dtype, DTYPES),
        ("engine.attention", engine.attention, ATTENTIONS),
        ("grpo.lr_schedule", grpo.lr_schedule, LR_SCHEDULES),
    ):
        need(value in known, key, value, " | ".join(known))
    need(
        not (engine.remove_padding and engine.attention in ("eager", "sdpa")),
        "engine.remove_padding",
        f"true with engine.attention={engine.attention}",
        f"false, or engine.attention={FLASH} or {AUTO}: packed sequences are attended to by flash-attention only",
    )
    need(
        not (engine.attention == FLASH and engine.train_dtype == "float32"),
        "engine.attention",
        f"{FLASH} with engine.train_dtype=float32",
        f"{AUTO} or sdpa: flash-attention computes in 16 bits only",
    )
    for key, longest in (("sft", sft.max_tokens), ("grpo", grpo.max_prompt_tokens + grpo.max_response_tokens)):
        need(
            engine.micro_batch_tokens == 0 or engine.micro_batch_tokens >= longest,
            "engine.micro_batch_tokens",
            engine.micro_batch_tokens,
            f"0, or room for the longest sequence of {key} ({longest})",
        )
    for key, steps in (("sft", sft), ("grpo", grpo)):
        need(
            engine.save_state or steps.save_every >= steps.steps,
            f"{key}.save_every",
            f"{steps.save_every} with engine.save_state=false",
            f"{steps.steps} or more: nothing resumes from such a checkpoint",
        )
    need(engine.threads >= 0, "engine.threads", engine.threads, "0 for all cores, or a number of them")
    need(engine.rollout_threads >= 0, "engine.rollout_threads", engine.rollout_threads, "0 for as many as threads, or a number")
    need(0 < grpo.top_p <= 1, "grpo.top_p", grpo.top_p, "above 0, at most 1")
    need(0 < grpo.clip_low < 1, "grpo.clip_low", grpo.clip_low, "between 0 and 1")
    need(grpo.clip_high > 0, "grpo.clip_high", grpo.clip_high, "above 0")
    need(engine.nodes == 1, "engine.nodes", engine.nodes, "1: training on several nodes is not supported")
    need(grpo.rollouts_per_prompt > 1, "grpo.rollouts_per_prompt", grpo.rollouts_per_prompt, "at least 2")
    need(grpo.estimator in ESTIMATORS, "grpo.estimator", grpo.estimator, " | ".join(ESTIMATORS))
    need(
        grpo.loss_aggregation in LOSS_AGGREGATIONS,
        "grpo.loss_aggregation",
        grpo.loss_aggregation,
        " | ".join(LOSS_AGGREGATIONS),
    )
    need(grpo.old_log_probs in OLD_LOG_PROBS, "grpo.old_log_probs", grpo.old_log_probs, " | ".join(OLD_LOG_PROBS))
    problems += problems_of("sft.lora", sft.lora, engine.rollout_dtype) + problems_of("grpo.lora", grpo.lora, engine.rollout_dtype)
    ranks = engine.nodes * engine.devices_per_node
    need(sft.batch_size % ranks == 0, "sft.batch_size", sft.batch_size, f"a multiple of the {ranks} training ranks")
    rollouts = grpo.prompts_per_step * grpo.rollouts_per_prompt
    need(rollouts % ranks == 0, "grpo.prompts_per_step × rollouts_per_prompt", rollouts, f"a multiple of {ranks} ranks")
    if not problems and not engine.micro_batch_tokens:
        for key, rows, micro in (
            ("sft.micro_batch_size", sft.batch_size // ranks, sft.micro_batch_size),
            ("grpo.micro_batch_size", rollouts // ranks, grpo.micro_batch_size),
        ):
            need(rows % min(micro, rows) == 0, key, micro, f"a divisor of the {rows} rows of one device and step")
    return problems
