"""Environment variables of engine processes. Set before Ray starts, so that every worker inherits them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from .config import EngineConfig, Platform

PLUGIN = "rl_align.engine.plugin"
#: With these set, Ray leaves the variables that hide devices alone.
NOSET = ("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES",)
#: What a Ray job puts into the environment of its command: where the cluster is, and what only workers of Ray's can make use of.
OF_A_RAY_JOB = ("RAY_ADDRESS", "RAY_JOB_", "RAY_EXPERIMENTAL_NOSET_")
#: Environment variable: threads of the vLLM server's processes, where they differ from the trainer's.
ROLLOUT_THREADS = "RL_ALIGN_ROLLOUT_THREADS"


def variables(config: EngineConfig) -> dict[str, str]:
    """What an engine process needs in its environment."""
    env = {
        "VERL_USE_EXTERNAL_MODULES": PLUGIN,
        # Our plugin is named above; a second load through the entry point would hide its errors at DEBUG level.
        "VERL_USE_EXTERNAL_PLUGINS": "none",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HYDRA_FULL_ERROR": "1",
        "PYTHONWARNINGS": "ignore",
        "RL_ALIGN_SHARE_IMAGES": str(int(config.share_images)),
    }
    if config.platform is Platform.cpu:
        threads = str(config.threads or len(os.sched_getaffinity(0)))
        env |= {
            "VERL_PLATFORM": "cpu",
            "VERL_ENGINE_DEVICE": "cuda",  # selects the FSDP engine class; nothing else reads it
            "VLLM_TARGET_DEVICE": "cpu",
            "VLLM_CPU_KVCACHE_SPACE": str(config.kv_cache_gb),
            # One process for vLLM: the multi-process executor spins on shared memory, which costs one of two cores.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            ROLLOUT_THREADS: str(config.rollout_threads or threads),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "TQ_NUM_THREADS": "1",
            # vLLM compiles one small function of its sampler with a C++ compiler at the first step: longer than it saves.
            "TORCH_COMPILE_DISABLE": "1",
            # Large buffers are reused instead of being returned to the kernel after every operation (glibc's tunables):
            # it halved the system time of a training step.
            "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
            "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
            "MALLOC_TOP_PAD_": str(1 << 26),
            # Ray hides "accelerators" from processes that asked for none; here they are logical slots.
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            # Ray's monitor kills by the machine's memory, not by ours.
            "RAY_memory_monitor_refresh_ms": "0",
        }
    return env


def without_ray_job(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without a Ray job's: with it, verl takes a process that torchrun started for a worker of that cluster's."""
    return {name: value for name, value in variables.items() if not name.startswith(OF_A_RAY_JOB)}


def of_rollout_server() -> dict[str, str]:
    """What the CPU's vLLM server needs in its environment, taken from this process's."""
    names = ("VLLM_CPU_KVCACHE_SPACE", ROLLOUT_THREADS)
    found = {name: os.environ[name] for name in names if name in os.environ}
    if ROLLOUT_THREADS in found:
        found["OMP_NUM_THREADS"] = found["MKL_NUM_THREADS"] = found.pop(ROLLOUT_THREADS)
    return found


#: What libraries would otherwise keep in the home folder.
CACHES = {
    "HF_HOME": "huggingface",
    "VLLM_CACHE_ROOT": "vllm",
    "VLLM_CONFIG_ROOT": "vllm-config",
    "TORCHINDUCTOR_CACHE_DIR": "torchinductor",
    "TRITON_CACHE_DIR": "triton",
    "XDG_CACHE_HOME": "xdg",
    "MPLCONFIGDIR": "matplotlib",
}
#: Unix sockets take paths of at most 107 bytes, and Ray adds up to 68 to its folder.
RAY_ROOM = 107 - 68


def caches(folder: Path) -> dict[str, str]:
    """Folders of the engine's libraries, below `folder` where the caller's environment names none."""
    folder = folder.absolute()
    found = {name: str(folder / inner) for name, inner in CACHES.items() if name not in os.environ}
    if "RAY_TMPDIR" not in os.environ and len(str(folder)) <= RAY_ROOM:
        found["RAY_TMPDIR"] = str(folder)
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        token = folder / "ray-token"
        if not token.exists():
            folder.mkdir(parents=True, exist_ok=True)
            whole = folder / f".ray-token.{secrets.token_hex(4)}"
            whole.touch(mode=0o600)
            whole.write_text(secrets.token_hex(32))
            whole.rename(token)
        found |= {"RAY_AUTH_TOKEN_PATH": str(token), "RAY_AUTH_MODE": "token"}
    return found


def apply(config: EngineConfig, cache: Path = Path(".cache")) -> None:
    """Puts `variables` and `caches` into this process's environment."""
    os.environ.update(caches(cache))
    os.environ.update(variables(config))
    # Without compiled bytecode each of the engine's processes would compile gigabytes of packages again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
