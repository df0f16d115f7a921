"""LoRA: settings that cannot work are named, verl is told what it knows, the tower stays frozen, shards become whole tensors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from rl_align.config import load_config
from rl_align.engine import verl_config, witness
from rl_align.engine.config import EngineConfig, GRPOConfig, SFTConfig, check
from rl_align.engine.lora_config import LoRAConfig
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.estimate import explain
from rl_align.pipeline.parts import part

PLACES = {"model": Path("m"), "train_file": Path("t"), "folder": Path("f"), "resume_from": None, "name": "n"}


@pytest.mark.parametrize(
    ("lora", "engine", "key", "expected"),
    [
        (LoRAConfig(rank=-1), {}, "grpo.lora.rank", "0 to train all weights"),
        (LoRAConfig(rank=8, alpha=0), {}, "grpo.lora.alpha", "a positive whole number"),
        (LoRAConfig(rank=8, target_modules=["q_proj", ".*"]), {}, "grpo.lora.target_modules", "names of layers such as"),
        (LoRAConfig(rank=8, target_modules=["visual.blocks.0.attn.qkv"]), {}, "grpo.lora.target_modules", "freeze_vision=false"),
        (LoRAConfig(rank=8), {"rollout_dtype": "float32"}, "engine.rollout_dtype", "bfloat16: verl hands merged weights"),
    ],
)
def test_settings_that_cannot_work_are_named(lora, engine, key, expected):
    problems = check(replace(EngineConfig(), **engine), SFTConfig(), GRPOConfig(lora=lora))
    assert [(found, expected in more) for found, _, more in problems] == [(key, True)]
    assert [found for found, *_ in check(replace(EngineConfig(), **engine), SFTConfig(lora=lora), GRPOConfig())] == [
        key.replace("grpo", "sft")
    ]


def test_what_is_off_is_not_looked_at():
    off = LoRAConfig(rank=0, alpha=-1, target_modules=["*"])
    assert check(EngineConfig(rollout_dtype="float32"), SFTConfig(lora=off), GRPOConfig(lora=off)) == []


def test_verl_is_told_of_the_adapter_and_merges_it_for_vllm():
    lora = LoRAConfig(rank=8, alpha=16)
    grpo = verl_config.grpo_settings(EngineConfig(), GRPOConfig(lora=lora), **PLACES)
    sft = verl_config.sft_settings(EngineConfig(), SFTConfig(lora=replace(lora, target_modules=["q_proj"])), **PLACES)
    model = "actor_rollout_ref.model"
    assert (grpo[f"{model}.lora_rank"], grpo[f"{model}.lora_alpha"], grpo[f"{model}.target_modules"]) == (8, 16, "all-linear")
    assert sft["model.lora_rank"] == 8 and sft["model.target_modules"] == ["q_proj"]
    assert grpo[f"{model}.lora.merge"] is True and grpo[f"{model}.external_lib"] == "rl_align.engine.lora"
    checkpoint = "actor_rollout_ref.actor.checkpoint"
    assert grpo[f"{checkpoint}.save_contents"] == sft["checkpoint.save_contents"] == ["model", "optimizer", "extra"]
    assert grpo[f"{checkpoint}.save_lora_only"] is sft["checkpoint.save_lora_only"] is True
    alone = verl_config.sft_settings(EngineConfig(save_state=False), SFTConfig(lora=lora), **PLACES)
    assert alone["checkpoint.save_contents"] == ["model"]
    plain = verl_config.grpo_settings(EngineConfig(), GRPOConfig(), **PLACES)
    assert not any("lora" in key for key in plain) and plain[f"{model}.external_lib"] == "rl_align.engine.vision"


def test_a_stage_without_lora_depends_on_what_it_did_before_there_was_any():
    """Lock: a run that was made without it is not begun anew."""
    assert "lora" not in part(SFTConfig()) and "lora" not in part(GRPOConfig(lora=LoRAConfig(alpha=5)))
    assert part(GRPOConfig(lora=LoRAConfig(rank=4)))["lora"]["rank"] == 4


def test_the_estimate_of_memory_counts_the_optimizer_of_what_is_trained():
    whole = RunConfig()
    lora = LoRAConfig(rank=4)
    stages = {name: replace(getattr(whole, name), lora=lora) for name in ("pretrain", "sft", "grpo")}
    lines = [next(line for line in explain(config) if "memory" in line) for config in (whole, replace(whole, **stages))]
    assert "training 0.074 GB" in lines[0] and "training 0.025 GB" in lines[1], lines


def test_the_preset_is_the_same_run_with_adapters():
    folder = ROOT / "experiments" / "qwen"
    whole, adapted = (resolve(load_config(RunConfig, folder / f"qwen2_5_vl_7b{name}.yaml")) for name in ("", "_lora"))
    assert adapted.sft.lora.rank == adapted.grpo.lora.rank == 32 and adapted.grpo.lora.freeze_vision
    for name in ("sft", "grpo"):
        ours, theirs = part(getattr(adapted, name)), part(getattr(whole, name))
        assert {key for key in ours if ours[key] != theirs.get(key)} == {"learning_rate", "lora"}
    assert adapted.engine == whole.engine


@pytest.mark.parametrize("freeze", [True, False])
def test_the_tower_gets_no_adapter_or_one_in_its_blocks_only(freeze, tmp_path):
    """verl adds up adapters block by block: what lies in no block would be trained, and never sampled with."""
    pytest.importorskip("peft")
    import torch
    from exporting import untrained
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    lora = LoRAConfig(rank=2, freeze_vision=freeze)
    keys = verl_config.sft_settings(EngineConfig(), SFTConfig(lora=lora), **PLACES)
    model = AutoModelForImageTextToText.from_pretrained(untrained(tmp_path / "m"), dtype=torch.float32)
    settings = {name: keys[f"model.{name}"] for name in ("target_modules", "exclude_modules")}
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, **settings))
    trained = [name for name, parameter in peft.named_parameters() if parameter.requires_grad]
    seen = {name for name in trained if "visual" in name}
    assert any("language_model.layers" in name for name in trained) and not any("lm_head" in name for name in trained)
    assert bool(seen) is not freeze and all(".visual.blocks." in name for name in seen)


def test_layers_that_a_model_does_not_have_are_named_before_an_engine_starts(tmp_path):
    pytest.importorskip("safetensors")
    import torch
    from safetensors.torch import save_file

    from rl_align.models.lora import check_targets

    names = ("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "visual.blocks.0.attn.qkv")
    save_file({f"{name}.weight": torch.zeros(1) for name in names}, tmp_path / "model.safetensors")
    frozen = LoRAConfig(rank=1)
    check_targets(tmp_path, ["q_proj", "mlp.up_proj"], frozen.leave_out, "k")
    check_targets(tmp_path, ["qkv"], replace(frozen, freeze_vision=False).leave_out, "k")
    for name in ("proj", "v_proj", "qkv"):
        with pytest.raises(UserError, match=rf"k: no layer of .* is called '{name}'; expected some of q_proj, up_proj"):
            check_targets(tmp_path, [name], frozen.leave_out, "k")


def test_the_shards_of_ranks_become_whole_tensors():
    """As FSDP2 leaves them: each rank its piece, along the first axis or another, uneven where it does not divide."""
    torch = pytest.importorskip("torch")
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard
    from torch.testing._internal.distributed.fake_pg import FakeStore

    from rl_align.models import shards

    whole = {"a": torch.arange(15.0).view(5, 3), "b": torch.arange(8.0).view(2, 4), "same": torch.ones(2), "plain": torch.ones(3)}
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        mesh = init_device_mesh("cpu", (2,))

        def piece(name: str, rank: int):
            tensor, dim = whole[name], {"a": 0, "b": 1}.get(name)
            if name == "plain":
                return tensor
            local = tensor if dim is None else tensor.chunk(2, dim)[rank]
            placement = Replicate() if dim is None else Shard(dim)
            return DTensor.from_local(local, mesh, [placement], run_check=False, shape=tensor.shape, stride=tensor.stride())

        ranks = [{name: piece(name, rank) for name in whole} for rank in range(2)]
        found = shards.join(ranks, "here")
        assert set(found) == set(whole) and all(torch.equal(found[name], whole[name]) for name in whole)
        with pytest.raises(UserError, match=r"here: a: its pieces make \(3, 3\); expected \(5, 3\)"):
            shards.join(ranks[:1], "here")
        with pytest.raises(UserError, match="here: its ranks hold other tensors"):
            shards.join([ranks[0], {}], "here")
    finally:
        dist.destroy_process_group()


def test_files_of_ranks_that_are_missing_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    from rl_align.models import shards

    with pytest.raises(UserError, match="does not say how many ranks"):
        shards.load(tmp_path)
    (tmp_path / "fsdp_config.json").write_text(json.dumps({"world_size": 2}))
    torch.save({"a": torch.ones(1)}, tmp_path / "model_world_size_2_rank_0.pt")
    with pytest.raises(UserError, match="rank_1.pt: the weights of a rank are missing"):
        shards.load(tmp_path)


def test_a_checkpoint_runs_no_code(tmp_path):
    torch = pytest.importorskip("torch")
    from rl_align.models import shards

    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Hostile()}, tmp_path / "model_world_size_1_rank_0.pt")
    (tmp_path / "fsdp_config.json").write_text(json.dumps({"world_size": 1}))
    with pytest.raises(Exception, match="(?i)weights.only|unsupported"):
        shards.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_one_rollout_an_item_testifies_as_long_as_there_are_items():
    keys = [f"u{g}_{s}_0" for g in range(3) for s in range(3)] + ["pad1_0_0"]
    told = [{"item_id": f"i{g}"} for g in (2, 0, 1) for _ in range(3)] + [{"item_id": "i0"}]
    chosen = witness.choose(keys, told, most=4)
    assert [told[i]["item_id"] for i in chosen] == ["i0", "i1", "i2", "i0"] and len(keys) - 1 not in chosen
    assert [keys[i].split("_")[1] for i in chosen] == ["0", "0", "0", "1"]


def test_a_witness_holds_the_log_probabilities_of_the_responses_own_tokens():
    """verl puts out, at every position, the log-probability of the token that follows it."""
    told = {"item_id": "i", "seat": "responder"}
    ids, mask, said = [7, 8, 9, 1, 2], [1, 1], [-0.1, -0.2, -0.3, -0.4, -0.5]
    text = witness.text(told, "u_0_0", ids, mask, said, episode=False)
    assert (text["prompt_ids"], text["response_ids"], text["log_probs"]) == ([7, 8, 9], [1, 2], [-0.3, -0.4])
    assert text["of_row"] and witness.text(told, "u_5_0", ids, mask, said, episode=True)["of_row"]
    assert not witness.text(told, "u_5_1", ids, mask, said, episode=True)["of_row"]
    assert not witness.text({**told, "seat": "rewriter"}, "u_5_0", ids, mask, said, episode=True)["of_row"]
