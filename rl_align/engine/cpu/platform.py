"""`PlatformCPU`: verl's platform interface on a machine without an accelerator.

Registered under the name "cpu" through verl's public `PlatformRegistry`. Ray's resource "GPU" serves as a *logical* slot: Ray is
started with `num_gpus=<slots>`, and each trainer rank takes one. There is no IPC, so verl syncs weights through POSIX shared
memory.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry

from rl_align.engine import env

NAME = "cpu"


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def _zero(*_args: Any, **_kwargs: Any) -> int:
    return 0


def _device_module() -> types.ModuleType:
    """`torch.cpu` with the functions that verl expects of `torch.cuda`."""
    module = types.ModuleType("rl_align.engine.cpu.device_module")
    module.__getattr__ = lambda name: getattr(torch.cpu, name)  # PEP 562: whatever is not set here
    module.is_available = lambda: True
    module.device_count = lambda: 1
    module.current_device = lambda: torch.device("cpu")
    module.get_device_name = lambda *_: "cpu"
    module.manual_seed = module.manual_seed_all = torch.manual_seed
    module.get_rng_state, module.set_rng_state = torch.get_rng_state, torch.set_rng_state
    module.mem_get_info = lambda *_: (psutil.virtual_memory().available, psutil.virtual_memory().total)
    for name in ("set_device", "synchronize", "empty_cache", "ipc_collect", "reset_peak_memory_stats"):
        setattr(module, name, _nothing)
    module.set_per_process_memory_fraction = _nothing
    for name in ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"):
        setattr(module, name, _zero)
    return module


@PlatformRegistry.register(platform=NAME)
class PlatformCPU(PlatformBase):
    """verl's device interface on plain CPUs."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _device_module()

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        # A CUDA build of torch on a machine without a GPU is a broken GPU machine, not a CPU machine.
        return not torch.cuda.is_available() and torch.version.cuda is None and torch.version.hip is None

    def current_device(self) -> torch.device:
        return torch.device("cpu")  # verl only passes it to .to() and device=

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return list(env.NOSET)

    def is_ipc_supported(self) -> bool:
        return False

    def rollout_env_vars(self) -> dict[str, str]:
        return env.of_rollout_server()

    def cudart(self) -> None:
        return None
