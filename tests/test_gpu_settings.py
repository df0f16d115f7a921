"""What the GPU presets set, and what of it adapts to the machine; verl itself is asked by tests/test_cpu_contract.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from rl_align.config import load_config
from rl_align.endpoints.serving import arguments
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.engine import attention, verl_config
from rl_align.engine.config import EngineConfig, GRPOConfig, Platform, SFTConfig, check
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.estimate import explain
from rl_align.pipeline.run import Run, run

PLACES = {"model": Path("m"), "train_file": Path("t"), "folder": Path("f"), "resume_from": None, "name": "n"}
PRESETS = sorted((ROOT / "experiments" / "qwen").glob("*.yaml")) + [
    ROOT / "experiments" / "gpu" / name for name in ("gpu_check.yaml", "gpu_check_big.yaml")
]
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"


@pytest.fixture
def flash_attn(tmp_path, monkeypatch):
    """A package of that name on the path."""
    (tmp_path / "site" / "flash_attn").mkdir(parents=True)
    (tmp_path / "site" / "flash_attn" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "site")


def test_auto_attention_is_sdpa_without_packing_where_flash_attn_is_missing():
    engine = EngineConfig(attention="auto", remove_padding=True)
    settled = attention.settle(engine)
    assert (settled.attention, settled.remove_padding) == ("sdpa", False)
    keys = verl_config.grpo_settings(engine, GRPOConfig(), **PLACES)
    assert keys["actor_rollout_ref.model.override_config.attn_implementation"] == "sdpa"
    assert keys["actor_rollout_ref.model.use_remove_padding"] is False
    assert verl_config.sft_settings(engine, SFTConfig(), **PLACES)["model.use_remove_padding"] is False


def test_auto_attention_is_flash_attention_where_it_is_there_and_can_compute(flash_attn):
    engine = EngineConfig(attention="auto", remove_padding=True)
    settled = attention.settle(engine)
    assert (settled.attention, settled.remove_padding) == ("flash_attention_2", True)
    assert attention.settle(replace(engine, train_dtype="float32")).attention == "sdpa"
    assert attention.settle(replace(engine, attention="eager")).attention == "eager"


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_gpu_preset_packs_batches_by_tokens_and_uses_the_caches(path, flash_attn):
    config = resolve(load_config(RunConfig, path, ["rewriter.target_model=unaligned"] if "rewriter" in path.stem else []))
    engine, grpo = config.engine, config.grpo
    keys = verl_config.grpo_settings(engine, grpo, **PLACES)
    assert engine.platform is Platform.cuda and engine.attention == "auto"
    wanted = {
        "actor_rollout_ref.model.use_remove_padding": True,
        f"{ACTOR}.use_dynamic_bsz": True,
        f"{ROLLOUT}.log_prob_use_dynamic_bsz": True,
        f"{ACTOR}.ppo_max_token_len_per_gpu": engine.micro_batch_tokens,
        f"{ROLLOUT}.log_prob_max_token_len_per_gpu": engine.micro_batch_tokens,
        f"{ROLLOUT}.enforce_eager": False,
        f"{ROLLOUT}.enable_prefix_caching": True,
        f"{ROLLOUT}.enable_sleep_mode": True,
        f"{ROLLOUT}.free_cache_engine": True,
        f"{ROLLOUT}.load_format": "auto",
        f"{ACTOR}.fsdp_config.optimizer_offload": engine.offload,
    }
    assert wanted.items() <= keys.items()
    assert keys[f"{ROLLOUT}.engine_kwargs.vllm.mm_processor_cache_gb"] > 0
    longest = grpo.max_prompt_tokens + grpo.max_response_tokens
    assert keys[f"{ROLLOUT}.engine_kwargs.vllm.stream_interval"] > longest
    assert keys[f"{ROLLOUT}.max_num_batched_tokens"] >= longest
    supervised = verl_config.sft_settings(engine, config.sft, **PLACES)
    assert supervised["data.use_dynamic_bsz"] is True and supervised["data.max_token_len_per_gpu"] == engine.micro_batch_tokens


def test_the_cpu_keeps_rows_in_a_batch_and_no_caches():
    keys = verl_config.grpo_settings(EngineConfig(), GRPOConfig(), **PLACES)
    assert keys[f"{ACTOR}.use_dynamic_bsz"] is False and keys[f"{ROLLOUT}.enable_prefix_caching"] is False
    assert keys[f"{ACTOR}.checkpoint.save_contents"] == ["hf_model", "model", "optimizer", "extra"]
    assert f"{ROLLOUT}.engine_kwargs.vllm.stream_interval" not in keys


def test_the_one_gpu_of_a_check_is_shared_with_the_rewriters_target():
    for name in ("gpu_check.yaml", "gpu_check_big.yaml"):
        config = resolve(load_config(RunConfig, ROOT / "experiments" / "gpu" / name))
        server = config.rewriter.target_server
        assert config.engine.devices_per_node == 1 and server.device == "cuda" and server.shares_gpu
        assert server.gpu_memory_utilization + config.engine.gpu_memory_utilization < 0.6


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"micro_batch_tokens": 100}, "engine.micro_batch_tokens"),
        ({"attention": "sdpa", "remove_padding": True}, "engine.remove_padding"),
        ({"attention": "flash_attention_2", "train_dtype": "float32"}, "engine.attention"),
        ({"save_state": False}, "sft.save_every"),
    ],
)
def test_settings_that_do_not_go_together_are_named(changes, key):
    problems = check(replace(EngineConfig(), **changes), SFTConfig(), GRPOConfig())
    assert key in [problem[0] for problem in problems]


def test_rows_need_not_divide_where_batches_are_counted_in_tokens():
    uneven = SFTConfig(batch_size=10, micro_batch_size=4)
    assert check(EngineConfig(), uneven, GRPOConfig())[0][0] == "sft.micro_batch_size"
    engine = EngineConfig(micro_batch_tokens=4096)
    assert not check(engine, uneven, GRPOConfig())
    assert any("micro-batches of at most 4096 tokens" in line for line in explain(replace(RunConfig(), engine=engine)))


def test_servers_on_a_gpu_split_prompts_and_keep_prefixes():
    cpu = arguments(Path("m"), "x", 1, ServerConfig())
    gpu = arguments(Path("m"), "x", 1, ServerConfig(device="cuda"))
    assert {"--no-enable-chunked-prefill", "--no-enable-prefix-caching", "--enforce-eager"} <= set(cpu)
    assert not {"--no-enable-chunked-prefill", "--no-enable-prefix-caching", "--enforce-eager"} & set(gpu)


def test_a_stage_alone_can_be_chosen(tmp_path, capsys):
    path = ROOT / "experiments" / "pictograms" / "responder.yaml"
    run(path, [f"folder={tmp_path}"], only=["sft", "data"], dry_run=True)
    lines = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("# stage ")]
    assert lines == ["# stage data", "# stage sft"]
    with pytest.raises(UserError, match="--only: there is no stage 'dat'; expected some of data, model, rows"):
        run(path, [f"folder={tmp_path}"], only=["dat"])


def test_a_model_without_its_state_is_kept_once_in_the_format_that_it_is_served_in(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    config = resolve(load_config(RunConfig, ROOT / "experiments" / "gpu" / "gpu_check_big.yaml", [f"folder={tmp_path}"]))
    work = Run(config)
    folder = work.checkpoints / "sft" / "global_step_80" / "huggingface"
    folder.mkdir(parents=True)
    save_file({"w": torch.randn(4, 4), "n": torch.arange(3)}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"dtype": "float32", "text_config": {"dtype": "float32"}}))
    (folder / "tokenizer.json").write_text("{}")
    work._export(work.checkpoints / "sft", work.models / "sft", 80, "huggingface")
    made = load_file(work.models / "sft" / "model.safetensors")
    assert made["w"].dtype == torch.bfloat16 and made["n"].dtype == torch.int64
    config = json.loads((work.models / "sft" / "config.json").read_text())
    assert config["dtype"] == config["text_config"]["dtype"] == "bfloat16"
    assert (work.models / "sft" / "tokenizer.json").is_file() and not (work.checkpoints / "sft").exists()
