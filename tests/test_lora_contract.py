"""Contract with the installed engine about LoRA: keys, number formats, and the merge that vLLM is given."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import ROOT

if not importlib.util.find_spec("verl"):
    pytest.skip("verl is not installed (extra cpu or gpu)", allow_module_level=True)
pytestmark = pytest.mark.engine  # they import verl in a fresh process

MERGE = """
import sys, tempfile
from pathlib import Path
import verl
import torch
import torch.distributed as dist
from peft import LoraConfig, get_peft_model
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor
from transformers import AutoModelForImageTextToText
import verl.workers.engine.fsdp.transformer_impl as engine
from verl.utils.fsdp_utils import apply_fsdp2, fsdp2_load_full_state_dict, normalize_peft_param_name
from rl_align.engine.lora_config import LoRAConfig

if sys.argv[2] == "patched":
    import rl_align.engine.lora
dist.init_process_group("gloo", init_method="file://" + tempfile.mktemp(), rank=0, world_size=1)
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1], dtype=torch.float32)
settings = {"target_modules": "all-linear", "exclude_modules": LoRAConfig(rank=2, freeze_vision=False).leave_out}
peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, **settings))
with torch.no_grad():
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            parameter.normal_(0.0, 0.05)
state = peft.state_dict()
before = {name: tensor.clone() for name, tensor in state.items()}
wanted = {}
for name, tensor in before.items():
    if name.endswith(".base_layer.weight"):
        stem = name.removesuffix(".base_layer.weight")
        delta = before[stem + ".lora_B.default.weight"] @ before[stem + ".lora_A.default.weight"]
        wanted[stem.removeprefix("base_model.model.") + ".weight"] = tensor + 2 * delta
policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=True)
mesh = init_device_mesh("cpu", (1,), mesh_dim_names=("fsdp",))
apply_fsdp2(peft, {"mesh": mesh, "mp_policy": policy, "offload_policy": None, "reshard_after_forward": False}, {})
fsdp2_load_full_state_dict(peft, state, mesh, None)
with torch.no_grad():  # a forward pass without a backward pass, as for log-probabilities
    peft(input_ids=torch.tensor([[1, 2, 3]]), attention_mask=torch.ones(1, 3, dtype=torch.long))
whole = lambda tensor: tensor.full_tensor().clone() if isinstance(tensor, DTensor) else tensor.detach().clone()
with engine.merged_lora_context(peft, backup_adapters=True):
    found = {name: whole(tensor) for name, tensor in normalize_peft_param_name(peft.state_dict()).items()}
after = {name: whole(tensor) for name, tensor in peft.state_dict().items()}
assert all(torch.equal(found[name], wanted[name]) for name in wanted), "the adapter is not in the merged weights"
assert all(torch.equal(after[name], before[name]) for name in before), "the weights are not what they were"
"""


def merge(model, how: str) -> subprocess.CompletedProcess:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("VERL_", "VLLM_"))}
    env |= {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "rl_align.engine.plugin", "VERL_USE_EXTERNAL_PLUGINS": "none"}
    env |= {"VLLM_TARGET_DEVICE": "cpu", "PYTHONPATH": f"{ROOT}"}
    command = [sys.executable, "-c", MERGE, str(model), how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env, timeout=300)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from exporting import untrained

    return untrained(tmp_path_factory.mktemp("lora") / "m")


def test_the_merge_is_still_confused_by_gathered_weights(model):
    assert merge(model, "plain").returncode != 0, "verl merges gathered weights: rl_align/engine/lora.py can go"


def test_merged_weights_hold_the_adapter_in_every_block_and_the_base_comes_back(model):
    result = merge(model, "patched")
    assert result.returncode == 0, result.stderr[-800:]


def test_verl_takes_the_settings_for_what_they_are(model, tmp_path):
    from verl.utils.config import omega_conf_to_dataclass

    from rl_align.engine import verl_config as v
    from rl_align.engine.config import EngineConfig, GRPOConfig, Platform, SFTConfig
    from rl_align.engine.lora_config import LoRAConfig

    places = {"model": model, "train_file": tmp_path / "t", "folder": tmp_path, "resume_from": None, "name": "n"}
    lora = LoRAConfig(rank=4, target_modules=["q_proj"])
    for platform in Platform:
        engine = EngineConfig(platform=platform)
        v.compose(v.GRPO_DEFAULTS, v.grpo_settings(engine, GRPOConfig(lora=lora), **places))
        config = v.compose(v.SFT_DEFAULTS, v.sft_settings(engine, SFTConfig(lora=lora), **places))
    found, checkpoint = omega_conf_to_dataclass(config.model), omega_conf_to_dataclass(config.checkpoint)
    assert (found.lora_rank, found.target_modules, found.exclude_modules) == (4, ["q_proj"], lora.leave_out)
    assert found.lora["merge"] is True and checkpoint.save_lora_only is True
