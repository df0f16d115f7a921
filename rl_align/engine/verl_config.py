"""The only file that knows verl's keys by name.

`grpo_settings` and `sft_settings` turn our configuration into verl's keys; `compose` merges them over verl's own defaults and
refuses
a key that the installed verl does not have. Keys in `ADDED` are new by design: verl reads them when they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.errors import UserError

from .attention import settle
from .config import EngineConfig, GRPOConfig, Platform, SFTConfig
from .lora_config import ALL_LINEAR, LoRAConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig

GRPO_DEFAULTS = "ppo_trainer"
SFT_DEFAULTS = "sft_trainer_engine"

#: Keys that verl's defaults do not list but its code reads.
ADDED = frozenset(
    {
        "actor_rollout_ref.model.override_config.attn_implementation",
        "actor_rollout_ref.actor.fsdp_config.mixed_precision",
        "actor_rollout_ref.ref.fsdp_config.mixed_precision",
        "actor_rollout_ref.actor.checkpoint.save_lora_only",
        "actor_rollout_ref.rollout.agent.agent_loop_manager_class",
        "actor_rollout_ref.rollout.enable_sleep_mode",
        "actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls",
        "actor_rollout_ref.rollout.engine_kwargs.vllm.distributed_executor_backend",
        "actor_rollout_ref.rollout.engine_kwargs.vllm.mm_processor_cache_gb",
        "actor_rollout_ref.rollout.engine_kwargs.vllm.stream_interval",
        "model.override_config.attn_implementation",
        "engine.mixed_precision",
        "checkpoint.save_lora_only",
    }
)

#: What evaluation and the next stage load, and what resuming needs.
MODEL, STATE = ["hf_model"], ["model", "optimizer", "extra"]
#: On a GPU: memory for images that vLLM has prepared, and tokens of a forward pass of vLLM's.
MM_CACHE_GB, GPU_BATCHED_TOKENS = 1, 16_384
#: Loaded in the trainer's processes; the second one loads the first.
VISION_PLUGIN, LORA_PLUGIN = "rl_align.engine.vision", "rl_align.engine.lora"


def grpo_settings(
    engine: EngineConfig,
    grpo: GRPOConfig,
    *,
    model: Path,
    train_file: Path,
    folder: Path,
    resume_from: Path | None,
    name: str,
    stage: str = "grpo",
) -> dict[str, Any]:
    """verl's settings for one GRPO stage.

    Args:
        engine: Where and how.
        grpo: What.
        model: Hugging Face folder to start from.
        train_file: Parquet of prompts.
        folder: Run folder; checkpoints go to `checkpoints/<stage>` and TensorBoard files to `tensorboard` below it.
        resume_from: A verified checkpoint folder `global_step_N`, or None to start afresh.
        name: Shown by loggers.
        stage: Name of the stage.
    """
    engine = settle(engine)
    prompts, n = grpo.prompts_per_step, grpo.rollouts_per_prompt
    longest = grpo.max_prompt_tokens + grpo.max_response_tokens
    micro = min(grpo.micro_batch_size, prompts * n // (engine.nodes * engine.devices_per_node))
    actor, rollout, model_key = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model"
    settings: dict[str, Any] = {
        "algorithm.adv_estimator": "grpo",
        "algorithm.use_kl_in_reward": False,
        "algorithm.norm_adv_by_std_in_grpo": True,
        "algorithm.filter_groups.enable": grpo.dynamic_sampling,
        "algorithm.filter_groups.metric": "reward",
        "algorithm.filter_groups.max_inflight_gen_batches": grpo.max_inflight_batches,
        "algorithm.rollout_correction.bypass_mode": grpo.old_log_probs == "rollout",
        "data.train_files": str(train_file),
        "data.val_files": str(train_file),
        "data.train_batch_size": prompts,
        "data.max_prompt_length": grpo.max_prompt_tokens,
        "data.max_response_length": grpo.max_response_tokens,
        "data.return_raw_chat": True,
        "data.image_key": "images",
        "data.shuffle": True,
        "data.seed": grpo.seed,
        "data.filter_overlong_prompts": False,  # filtered, with reasons, when the rows were made
        f"{model_key}.path": str(model),
        f"{model_key}.external_lib": VISION_PLUGIN,
        f"{model_key}.use_remove_padding": engine.remove_padding,
        f"{model_key}.enable_gradient_checkpointing": engine.gradient_checkpointing,
        f"{model_key}.override_config.attn_implementation": engine.attention,
        f"{actor}.strategy": "fsdp2",
        f"{actor}.optim.lr": grpo.learning_rate,
        f"{actor}.optim.lr_warmup_steps": grpo.warmup_steps,
        f"{actor}.optim.lr_scheduler_type": grpo.lr_schedule,
        f"{actor}.optim.min_lr_ratio": 0.1 if grpo.lr_schedule == "cosine" else 0.0,
        f"{actor}.optim.weight_decay": grpo.weight_decay,
        f"{actor}.grad_clip": grpo.clip_grad,
        f"{actor}.optim.clip_grad": grpo.clip_grad,
        f"{actor}.ppo_mini_batch_size": prompts,
        f"{actor}.ppo_micro_batch_size_per_gpu": micro,
        f"{actor}.use_dynamic_bsz": engine.micro_batch_tokens > 0,
        f"{actor}.ppo_max_token_len_per_gpu": engine.micro_batch_tokens or longest * micro,
        f"{actor}.clip_ratio": grpo.clip_low,
        f"{actor}.clip_ratio_low": grpo.clip_low,
        f"{actor}.clip_ratio_high": grpo.clip_high,
        f"{actor}.loss_agg_mode": grpo.loss_aggregation,
        f"{actor}.entropy_coeff": grpo.entropy_coef,
        f"{actor}.use_kl_loss": grpo.kl_coef > 0,
        f"{actor}.kl_loss_coef": grpo.kl_coef,
        f"{actor}.fsdp_config.model_dtype": "fp32",
        f"{actor}.fsdp_config.mixed_precision": _mixed_precision(engine.train_dtype),
        f"{actor}.fsdp_config.param_offload": engine.offload,
        f"{actor}.fsdp_config.optimizer_offload": engine.offload,
        f"{actor}.checkpoint.save_contents": MODEL + (STATE if engine.save_state else []),
        f"{actor}.checkpoint.load_contents": STATE,
        f"{rollout}.name": "vllm",
        f"{rollout}.n": n,
        f"{rollout}.temperature": grpo.temperature,
        f"{rollout}.top_p": grpo.top_p,
        f"{rollout}.seed": grpo.seed,
        f"{rollout}.dtype": engine.rollout_dtype,
        f"{rollout}.tensor_model_parallel_size": engine.tensor_parallel,
        f"{rollout}.gpu_memory_utilization": engine.gpu_memory_utilization,
        f"{rollout}.max_model_len": longest,
        f"{rollout}.max_num_batched_tokens": max(longest, 4096),
        f"{rollout}.max_num_seqs": max(prompts * n, 128),
        f"{rollout}.calculate_log_probs": True,
        # verl's default is "dummy": with Qwen-VL that randomises the folded image normalisation, which no sync restores.
        f"{rollout}.load_format": "auto",
        f"{rollout}.log_prob_micro_batch_size_per_gpu": micro,
        f"{rollout}.log_prob_use_dynamic_bsz": engine.micro_batch_tokens > 0,
        f"{rollout}.log_prob_max_token_len_per_gpu": engine.micro_batch_tokens or longest * micro,
        f"{rollout}.agent.agent_loop_manager_class": "rl_align.engine.rollout_worker.GroupAgentLoopManager",
        f"{rollout}.agent.default_agent_loop": "responder",
        "reward.num_workers": 0,  # rewards are computed in the agent loop
        "trainer.nnodes": engine.nodes,
        "trainer.n_gpus_per_node": engine.devices_per_node,
        "trainer.device": engine.platform.value,
        "trainer.project_name": "rl_align",
        "trainer.experiment_name": name,
        "trainer.logger": [],
        "trainer.total_training_steps": grpo.steps,
        "trainer.total_epochs": 1_000_000,  # the number of steps decides
        "trainer.val_before_train": False,
        "trainer.test_freq": -1,
        "trainer.save_freq": grpo.save_every,
        "trainer.max_actor_ckpt_to_keep": None,  # pruned by our own callback, after the new one is sealed
        "trainer.default_local_dir": str(folder / "checkpoints" / stage),
        "trainer.checkpoint_callback_class": "rl_align.engine.checkpoints.SealCheckpoint",
        "trainer.resume_mode": "resume_path" if resume_from else "disable",
        "trainer.resume_from_path": str(resume_from) if resume_from else None,
        "trainer.balance_batch": engine.nodes * engine.devices_per_node > 1,
    }
    settings |= _lora(model_key, f"{actor}.checkpoint", grpo.lora, engine)
    if grpo.kl_coef > 0:
        settings |= _reference(micro, engine)
    if engine.platform is Platform.cpu:
        settings |= {
            f"{actor}.use_torch_compile": False,
            f"{actor}.fsdp_config.use_torch_compile": False,
            f"{actor}.fsdp_config.reshard_after_forward": False,
            f"{actor}.optim.override_optimizer_config": {"fused": True},
            f"{rollout}.enforce_eager": True,
            f"{rollout}.free_cache_engine": False,
            f"{rollout}.enable_sleep_mode": False,
            f"{rollout}.enable_prefix_caching": False,
            # vLLM rewinds the generator of a seeded request after a partial prefill, which CPU generators cannot.
            f"{rollout}.enable_chunked_prefill": False,
            f"{rollout}.max_num_batched_tokens": max(longest, prompts * n * grpo.max_prompt_tokens),
            f"{rollout}.checkpoint_engine.update_weights_bucket_megabytes": 64,
            f"{rollout}.agent.num_workers": 1,
            f"{rollout}.engine_kwargs.vllm.worker_extension_cls": "rl_align.engine.cpu.vllm_linear.CPUWorkerExtension",
            f"{rollout}.engine_kwargs.vllm.distributed_executor_backend": "uni",
            "data.dataloader_num_workers": 0,
            "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        }
    else:
        settings |= {
            f"{rollout}.enforce_eager": False,  # CUDA graphs
            f"{rollout}.free_cache_engine": True,  # the memory is the trainer's while it trains
            f"{rollout}.enable_sleep_mode": True,
            # The siblings of a prompt share it and its image; verl empties both caches when the weights change.
            f"{rollout}.enable_prefix_caching": True,
            f"{rollout}.engine_kwargs.vllm.mm_processor_cache_gb": MM_CACHE_GB,
            f"{rollout}.enable_chunked_prefill": True,
            # It also is how many image tokens the cache of the vision encoder holds.
            f"{rollout}.max_num_batched_tokens": max(longest, GPU_BATCHED_TOKENS),
            # Nobody reads a text before its end. Requests can say so themselves only in a vLLM newer than verl's.
            f"{rollout}.engine_kwargs.vllm.stream_interval": longest + 1,
            "transfer_queue.backend.SimpleStorage.num_data_storage_units": 2 * engine.nodes,  # each holds a core of Ray's
        }
    return settings


def sft_settings(
    engine: EngineConfig,
    sft: SFTConfig,
    *,
    model: Path,
    train_file: Path,
    folder: Path,
    resume_from: Path | None,
    name: str,
    stage: str = "sft",
) -> dict[str, Any]:
    """verl's settings for one SFT stage; arguments as in `grpo_settings`."""
    engine = settle(engine)
    micro = min(sft.micro_batch_size, sft.batch_size // (engine.nodes * engine.devices_per_node))
    settings: dict[str, Any] = {
        "data.train_files": str(train_file),
        "data.train_batch_size": sft.batch_size,
        "data.micro_batch_size_per_gpu": micro,
        "data.max_length": sft.max_tokens,
        "data.use_dynamic_bsz": engine.micro_batch_tokens > 0,
        "data.max_token_len_per_gpu": engine.micro_batch_tokens or sft.max_tokens * micro,
        "data.truncation": "error",  # filtered, with reasons, when the rows were made
        "data.num_workers": 0,
        "data.ignore_input_ids_mismatch": True,
        "data.custom_cls.path": "pkg://rl_align.engine.sft_dataset",
        "data.custom_cls.name": "TranscriptDataset",
        "model.path": str(model),
        "model.external_lib": VISION_PLUGIN,
        "model.use_remove_padding": engine.remove_padding,
        "model.enable_gradient_checkpointing": engine.gradient_checkpointing,
        "model.override_config.attn_implementation": engine.attention,
        "engine.strategy": "fsdp2",
        "engine.model_dtype": "fp32",
        "engine.mixed_precision": _mixed_precision(engine.train_dtype),
        "engine.param_offload": engine.offload,
        "engine.optimizer_offload": engine.offload,
        "optim.lr": sft.learning_rate,
        "optim.lr_warmup_steps_ratio": sft.warmup_share,
        "optim.lr_scheduler_type": "cosine",
        "optim.weight_decay": sft.weight_decay,
        "optim.betas": [0.9, sft.beta2],
        "optim.clip_grad": sft.clip_grad,
        "checkpoint.save_contents": MODEL + (STATE if engine.save_state else []),
        "checkpoint.load_contents": STATE,
        "trainer.nnodes": engine.nodes,
        "trainer.n_gpus_per_node": engine.devices_per_node,
        "trainer.device": engine.platform.value,
        "trainer.project_name": "rl_align",
        "trainer.experiment_name": name,
        "trainer.logger": [],
        "trainer.seed": sft.seed,
        "trainer.total_epochs": 1_000_000,
        "trainer.total_training_steps": sft.steps,
        "trainer.save_freq": sft.save_every,
        "trainer.test_freq": -1,
        "trainer.default_local_dir": str(folder / "checkpoints" / stage),
        "trainer.resume_mode": "resume_path" if resume_from else "disable",
        "trainer.resume_from_path": str(resume_from) if resume_from else None,
    }
    settings |= _lora("model", "checkpoint", sft.lora, engine)
    if engine.platform is Platform.cpu:
        settings |= {
            "engine.use_torch_compile": False,
            "engine.reshard_after_forward": False,
            "optim.override_optimizer_config": {"fused": True},
        }
    return settings


def _reference(micro: int, engine: EngineConfig) -> dict[str, Any]:
    """The model that the KL term compares with: what verl does not take from the actor's settings."""
    ref = "actor_rollout_ref.ref"
    settings: dict[str, Any] = {
        f"{ref}.log_prob_micro_batch_size_per_gpu": micro,
        f"{ref}.fsdp_config.model_dtype": "fp32",
        f"{ref}.fsdp_config.mixed_precision": _mixed_precision(engine.train_dtype),
        f"{ref}.fsdp_config.param_offload": engine.offload,
    }
    if engine.platform is Platform.cpu:
        settings |= {f"{ref}.fsdp_config.use_torch_compile": False, f"{ref}.fsdp_config.reshard_after_forward": False}
    return settings


def _lora(model: str, checkpoint: str, lora: LoRAConfig, engine: EngineConfig) -> dict[str, Any]:
    """What a stage with LoRA sets otherwise."""
    if not lora.rank:
        return {}
    return {
        f"{model}.lora_rank": lora.rank,
        f"{model}.lora_alpha": lora.alpha,
        f"{model}.target_modules": list(lora.target_modules) or ALL_LINEAR,
        f"{model}.exclude_modules": lora.leave_out,
        # vLLM is given merged weights, as without LoRA: it samples with the model that is exported, and need know no adapters.
        f"{model}.lora.merge": True,
        f"{model}.external_lib": LORA_PLUGIN,
        # The adapter alone; what verl would write as a Hugging Face model has PEFT's names in it.
        f"{checkpoint}.save_lora_only": True,
        f"{checkpoint}.save_contents": STATE if engine.save_state else STATE[:1],
    }


def check_extra(engine: EngineConfig) -> None:
    """Raises UserError for a key of `extra` or `extra_sft` that the installed verl does not have. Imports verl only for that."""
    for defaults, extra in ((GRPO_DEFAULTS, engine.extra), (SFT_DEFAULTS, engine.extra_sft)):
        if extra:
            compose(defaults, {}, extra)


def compose(defaults: str, settings: Mapping[str, Any], extra: list[str] = ()) -> DictConfig:
    """verl's defaults with our settings and the user's own overrides on top.

    Args:
        defaults: `GRPO_DEFAULTS` or `SFT_DEFAULTS`.
        settings: Key → value.
        extra: `key=value` strings (`engine.extra`).

    Raises:
        UserError: A key that the installed verl does not have.
    """
    import hydra
    from omegaconf import OmegaConf, open_dict

    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra.compose(defaults)
    given = OmegaConf.to_container(OmegaConf.from_dotlist(list(extra)))
    with open_dict(config):
        for key, value in {**settings, **_flat(given)}.items():
            parent, _, last = key.rpartition(".")
            known = key in ADDED or last in list(OmegaConf.select(config, parent) or {})
            if not known:
                where = "rl_align.engine.verl_config"
                if key not in settings:
                    where = "engine.extra" if defaults == GRPO_DEFAULTS else "engine.extra_sft"
                raise UserError(f"verl has no setting {key!r}", where=where, fix="check the installed verl's version")
            OmegaConf.update(config, key, value, merge=False, force_add=True)
    return config


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _mixed_precision(dtype: str) -> dict[str, str]:
    short = {"bfloat16": "bf16", "float32": "fp32", "float16": "fp16"}[dtype]
    return {"param_dtype": short, "reduce_dtype": "fp32", "buffer_dtype": "fp32"}
