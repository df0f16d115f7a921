"""FSDP2's CPU offload without pinned memory.

verl gives the reference model (KL term) `CPUOffloadPolicy(pin_memory=True)`; pinning needs an accelerator.
Unnecessary once verl asks its platform before pinning.
"""

from __future__ import annotations

FOR = {"verl": "0.9.1", "torch": "2.13.0"}


def apply() -> None:
    """Replaces the policy class that verl's FSDP engine imports."""
    import torch.distributed.fsdp as fsdp

    if getattr(fsdp.CPUOffloadPolicy, "_rl_align", False):
        return

    class CPUOffloadPolicy(fsdp.CPUOffloadPolicy):
        _rl_align = True

        def __init__(self, pin_memory: bool = False):
            super().__init__(pin_memory=False)

    fsdp.CPUOffloadPolicy = CPUOffloadPolicy
