"""Process groups of plain gloo.

verl names the backend "cpu:gloo,<device>:<backend>", which on a CPU becomes "cpu:gloo,cpu:gloo"; torch refuses the duplicate
device. Unnecessary once verl names a device only once, or torch accepts the duplicate.
"""

from __future__ import annotations

import os
from datetime import timedelta

FOR = {"verl": "0.9.1"}


def apply() -> None:
    """Replaces verl's two initialisers of the global process group."""
    import verl.utils.distributed as target

    target.initialize_global_process_group_ray = initialize_from_ray
    target.initialize_global_process_group = initialize_from_torchrun


def initialize_from_ray(timeout_second: int | None = None, backend: str | None = None) -> None:
    """Twin of `verl.utils.distributed.initialize_global_process_group_ray`."""
    import torch.distributed as dist

    if dist.is_initialized():
        return
    dist.init_process_group(
        backend=backend or "gloo",
        rank=int(os.environ.get("RANK", 0)),
        world_size=int(os.environ.get("WORLD_SIZE", 1)),
        timeout=timedelta(seconds=timeout_second) if timeout_second is not None else None,
        init_method=os.environ.get("DIST_INIT_METHOD"),
    )


def initialize_from_torchrun(timeout_second: int = 36000) -> tuple[int, int, int]:
    """Twin of `verl.utils.distributed.initialize_global_process_group`: (local rank, rank, world size)."""
    import torch.distributed as dist

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group(
        backend="gloo",
        timeout=timedelta(seconds=timeout_second),
        init_method=os.environ.get("DIST_INIT_METHOD"),
        rank=rank,
        world_size=world,
    )
    return int(os.environ["LOCAL_RANK"]), rank, world
