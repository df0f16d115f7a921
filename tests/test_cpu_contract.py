"""Contract with the installed engine: every patch of the CPU platform is still needed, and still fits what it replaces.

A failure here is the message of an upgrade: it says which file of `rl_align/engine/` to look at, and why.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from importlib import metadata

import pytest
from conftest import ROOT

from rl_align.engine.cpu import PATCHES

MODULES = [*PATCHES, "rl_align.engine.cpu.torchvision_ops", "rl_align.engine.equal_lengths", "rl_align.engine.logprobs"]
MODULES += ["rl_align.engine.text_only", "rl_align.engine.vision"]

if not importlib.util.find_spec("verl"):
    pytest.skip("verl is not installed (extra cpu or gpu)", allow_module_level=True)
pytestmark = pytest.mark.engine  # most of these import verl in a fresh process
cpu_only = pytest.mark.skipif("+cpu" not in metadata.version("torch"), reason="torch is not a CPU build")


def python(code: str) -> subprocess.CompletedProcess:
    """Runs code in a fresh interpreter without our plugin."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("VERL_", "VLLM_"))}
    env |= {"VERL_USE_EXTERNAL_PLUGINS": "none", "VLLM_TARGET_DEVICE": "cpu", "VLLM_LOGGING_LEVEL": "ERROR"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=120)


@pytest.mark.parametrize("name", MODULES)
def test_patches_say_what_they_are_for(name):
    module = importlib.import_module(name)
    assert module.__doc__ and "nnecessary" in module.__doc__, f"{name}: say why it exists and when it can go"
    for package, version in module.FOR.items():
        found = metadata.version(package).split("+")[0]
        assert found == version, (
            f"{name} was written for {package} {version}, installed is {found}: check that it is still needed and right, "
            f"then change FOR"
        )


@cpu_only
def test_process_group_is_still_needed():
    """torch refuses the backend string that verl builds; if this passes without the patch, remove process_group.py."""
    code = (
        "import os, tempfile\n"
        "os.environ.update(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0')\n"
        "import torch.distributed as d\n"
        "f = tempfile.mktemp()\n"
        "d.init_process_group('cpu:gloo,cpu:gloo', init_method='file://' + f, rank=0, world_size=1)\n"
    )
    assert python(code).returncode != 0, "torch accepts 'cpu:gloo,cpu:gloo': rl_align/engine/cpu/process_group.py can go"


@cpu_only
def test_process_group_twins_keep_verls_signatures():
    from rl_align.engine.cpu import process_group

    code = (
        "import inspect, verl.utils.distributed as d\n"
        "print(list(inspect.signature(d.initialize_global_process_group_ray).parameters))\n"
        "print(list(inspect.signature(d.initialize_global_process_group).parameters))\n"
    )
    seen = python(code).stdout.splitlines()
    mine = [process_group.initialize_from_ray, process_group.initialize_from_torchrun]
    wanted = [str(list(inspect.signature(f).parameters)) for f in mine]
    assert seen == wanted, "verl changed its initialisers: rl_align/engine/cpu/process_group.py must follow"


@cpu_only
def test_vllm_version_is_still_needed():
    code = "from importlib.metadata import version; version('vllm')"
    assert python(code).returncode != 0, "a distribution named vllm is installed: vllm_version.py can go"
    code = "from rl_align.engine.cpu import vllm_version as v; v.apply(); v.apply();" + code
    assert python(code).returncode == 0


@cpu_only
def test_offload_policy_is_still_needed():
    code = (
        "import torch.distributed.fsdp as f\n"
        "from rl_align.engine.cpu import offload_policy as p\n"
        "assert f.CPUOffloadPolicy(pin_memory=True).pin_memory is True\n"
        "p.apply(); p.apply()\n"
        "assert f.CPUOffloadPolicy(pin_memory=True).pin_memory is False\n"
        "from verl.workers.engine.fsdp.transformer_impl import CPUOffloadPolicy\n"
        "assert CPUOffloadPolicy is f.CPUOffloadPolicy, 'verl imports another class'\n"
    )
    result = python(code)
    assert result.returncode == 0, f"rl_align/engine/cpu/offload_policy.py does not reach verl: {result.stderr[-400:]}"


@cpu_only
def test_linear_patch_replaces_what_vllm_calls():
    code = (
        "import inspect, vllm.model_executor.layers.utils as u\n"
        "original = list(inspect.signature(u.dispatch_cpu_unquantized_gemm).parameters)\n"
        "from rl_align.engine.cpu import vllm_version; vllm_version.apply()\n"
        "from rl_align.engine.cpu import vllm_linear as p\n"
        "assert original == list(inspect.signature(p.keep_plain_weights).parameters), original\n"
        "import vllm.model_executor.layers.linear as l\n"
        "assert 'from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm' in inspect.getsource(l)\n"
    )
    result = python(code)
    assert result.returncode == 0, f"rl_align/engine/cpu/vllm_linear.py no longer fits vLLM: {result.stderr[-400:]}"


@cpu_only
def test_torchvision_imports():
    result = python("import torchvision; print(torchvision.__version__)")
    assert result.returncode == 0, (
        "import torchvision fails: run python -m rl_align.engine.cpu.torchvision_ops install; " + result.stderr[-300:]
    )


def test_equal_lengths_are_still_confused_by_torch_and_repaired():
    import torch
    from tensordict import TensorDict

    from rl_align.engine.equal_lengths import repair

    same = [torch.arange(20).view(4, 5), torch.arange(20).view(4, 5) + 100]
    nested = torch.nested.as_nested_tensor(same, layout=torch.jagged)
    assert nested._ragged_idx == 1, "torch no longer takes the axes for the ragged dimension: equal_lengths.py can go"
    data = TensorDict({"position_ids": nested}, batch_size=2)
    repair(data)
    assert data["position_ids"]._ragged_idx == 2
    assert [t.tolist() for t in data["position_ids"].unbind()] == [t.tolist() for t in same]
    different = [torch.arange(20).view(4, 5), torch.arange(24).view(4, 6)]
    data = TensorDict({"position_ids": torch.nested.as_nested_tensor(different, layout=torch.jagged)}, batch_size=2)
    repair(data)
    assert [t.shape for t in data["position_ids"].unbind()] == [(4, 5), (4, 6)]


@cpu_only
def test_the_platform_is_found_in_a_fresh_process():
    env = {**os.environ, "VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "rl_align.engine.plugin"}
    code = (
        "import verl; from rl_align.engine import plugin; plugin.assert_platform()\n"
        "from verl.plugin.platform.platform_manager import get_platform\n"
        "p = get_platform(); print(p.device_name, p.communication_backend_name(), p.is_ipc_supported())\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=120)
    assert result.stdout.split() == ["cpu", "gloo", "False"], result.stderr[-500:]


def test_every_verl_key_exists(tmp_path):
    """Both stages, both platforms: a key that verl does not have is refused by name."""
    from rl_align.engine import verl_config as v
    from rl_align.engine.config import EngineConfig, GRPOConfig, Platform, SFTConfig
    from rl_align.errors import UserError

    places = {"model": tmp_path, "train_file": tmp_path / "t", "folder": tmp_path, "resume_from": None, "name": "n"}
    for platform in Platform:
        engine = EngineConfig(platform=platform)
        v.compose(v.GRPO_DEFAULTS, v.grpo_settings(engine, GRPOConfig(), **places))
        v.compose(v.SFT_DEFAULTS, v.sft_settings(engine, SFTConfig(), **places))
    with pytest.raises(UserError, match="engine.extra: verl has no setting 'trainer.nonsense'"):
        v.compose(v.GRPO_DEFAULTS, v.grpo_settings(EngineConfig(), GRPOConfig(), **places), ["trainer.nonsense=1"])


#: What these folders hold is no run of the engine and has tests of its own.
NO_RUNS = ("synthesis", "eval", "sweeps")
RUNS = sorted(path for path in (ROOT / "experiments").glob("*/*.yaml") if path.parent.name not in NO_RUNS)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_every_experiment_resolves_against_the_installed_verl(path, tmp_path):
    """Lock: the experiments for eight GPUs, which run here never, name no key and no combination that verl refuses."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    from rl_align.engine import verl_config as v
    from rl_align.engine.config import SFTConfig
    from rl_align.pipeline.estimate import plan

    places = {"model": tmp_path, "train_file": tmp_path / "t", "folder": tmp_path, "resume_from": None, "name": "n"}
    for c in _configurations(path, tmp_path):
        trained = plan(c)
        assert trained
        for stage in trained:
            if isinstance(stage.settings, SFTConfig):
                v.compose(v.SFT_DEFAULTS, v.sft_settings(c.engine, stage.settings, **places), c.engine.extra_sft)
                continue
            config = v.compose(v.GRPO_DEFAULTS, v.grpo_settings(c.engine, stage.settings, **places), c.engine.extra)
            validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))


def test_a_kl_term_has_a_reference_that_verl_accepts(tmp_path):
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    from rl_align.engine import verl_config as v
    from rl_align.engine.config import EngineConfig, GRPOConfig

    places = {"model": tmp_path, "train_file": tmp_path / "t", "folder": tmp_path, "resume_from": None, "name": "n"}
    config = v.compose(v.GRPO_DEFAULTS, v.grpo_settings(EngineConfig(), GRPOConfig(kl_coef=0.01), **places))
    assert need_reference_policy(config) and config.actor_rollout_ref.actor.kl_loss_coef == 0.01
    validate_config(config, use_reference_policy=True, use_critic=need_critic(config))


def _configurations(path, tmp_path):
    """What a file of an experiment resolves to: an ablation's arms, one by one. What other runs leave behind is pretended."""
    from rl_align.config import load_config, to_yaml
    from rl_align.pipeline.ablation import AblationConfig
    from rl_align.pipeline.config import RunConfig, resolve

    for name in ("rewriter_sft", "rewriter_grpo"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "config.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    world = ROOT / "experiments" / "pictograms" / "rewriter.yaml"
    (tmp_path / "config.yaml").write_text(to_yaml(resolve(load_config(RunConfig, world))))
    text = path.read_text()
    if "\narms:" in text:
        ablation = load_config(AblationConfig, path)
        judged = [f"judge_model={tmp_path}"] if "judge_model" in text else []
        arms = [[*ablation.settings, *settings, *judged] for settings in ablation.arms.values()]
        return [resolve(load_config(RunConfig, path.parent / ablation.experiment, arm)) for arm in arms]
    given = ["real_inputs.sources=[special]"]  # the real records need not be here
    given += [f"rewriter.from_run={tmp_path}"] if "from_run" in text else []
    return [resolve(load_config(RunConfig, path, given))]


def test_verls_router_is_still_made_in_the_place_that_we_override():
    from verl.trainer.ppo.v1 import trainer_base
    from verl.workers.rollout.llm_server import LLMServerManager
    from verl.workers.rollout.router import GlobalRequestLoadBalancer

    from rl_align.engine.server_manager import EarlyServerManager

    assert trainer_base.LLMServerManager is LLMServerManager and issubclass(EarlyServerManager, LLMServerManager)
    replaced = inspect.getsource(LLMServerManager._init_global_load_balancer)
    assert "self.global_load_balancer = get_router_handle(" in replaced
    assert set(inspect.signature(GlobalRequestLoadBalancer).parameters) == {"servers", "max_cache_size", "full_determinism"}


def _public(cls: type) -> set[str]:
    return {name for name, value in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}


def test_what_is_made_early_is_what_verl_asks_for():
    """Early actors know their classes by the names of methods, and are taken when verl's options agree with theirs."""
    importlib.import_module("rl_align.engine.cpu.vllm_version").apply()
    from verl.workers.rollout.replica import CONTROL_METHOD_CONCURRENCY, RolloutReplica
    from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMReplica

    from rl_align.engine import early_processes as early

    for load, methods in (
        (early.load_server, (*early.SERVER_METHODS, *early.SERVER_STREAMS)),
        (early.load_worker, early.WORKER_METHODS),
        (early.load_router, early.ROUTER_METHODS),
    ):
        assert _public(load()) == set(methods), f"{load.__name__}: rl_align/engine/early_processes.py lists other methods"
    assert f"max({early.MAX_CONCURRENCY}, " in inspect.getsource(RolloutReplica) and CONTROL_METHOD_CONCURRENCY < 100
    launch = inspect.getsource(vLLMReplica.launch_servers)
    name = 'f"{prefix}server_{self.replica_rank}_{node_rank}{self.name_suffix}"'
    for part in ("ray_noset_envvars()", "rollout_env_vars()", name):
        assert part in launch, f"{part} is gone: see the options in rl_align/engine/early_processes.py"


def test_added_keys_are_still_absent_from_verls_defaults():
    import hydra
    from omegaconf import OmegaConf

    from rl_align.engine import verl_config as v

    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        known = [hydra.compose(v.GRPO_DEFAULTS), hydra.compose(v.SFT_DEFAULTS)]
    for key in v.ADDED:
        parent, _, last = key.rpartition(".")
        present = any(last in list(OmegaConf.select(config, parent) or {}) for config in known)
        assert not present, f"verl lists {key} by itself: take it out of ADDED"


@cpu_only
def test_actors_that_are_not_made_early_can_be_handed_to_other_processes():
    """On GPUs, and with several devices here, verl starts them as it starts its own."""
    code = (
        "from rl_align.engine.cpu import vllm_version; vllm_version.apply()\n"
        "from ray import cloudpickle\n"
        "from rl_align.engine.rollout_server import load_replica\n"
        "from rl_align.engine.rollout_worker import GroupAgentLoopWorker\n"
        "for actor in (load_replica().server, GroupAgentLoopWorker):\n"
        "    print(cloudpickle.loads(cloudpickle.dumps(actor)).__name__)\n"
    )
    done = python(code)
    assert done.stdout.split() == ["GroupHttpServer", "GroupAgentLoopWorker"], done.stderr[-2000:]
