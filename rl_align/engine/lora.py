"""Adapters are merged into sharded weights only.

To hand merged weights to vLLM, verl adds each adapter to its layer and takes the model's state. After a forward pass without a
backward pass FSDP2 may still hold gathered copies of the weights: the sum then goes to the copies, which the state leaves out, and
putting the weights back fails on the difference. Here every unit is sharded again first. Loaded in the trainer's processes, for
stages with LoRA, by verl's public `model.external_lib`. Unnecessary once verl does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from . import vision  # noqa: F401 (the other library of the trainer's processes: verl loads one)

FOR = {"verl": "0.9.1"}


def sharded(merged: Callable[..., AbstractContextManager[None]]) -> Callable[..., AbstractContextManager[None]]:
    """Wraps verl's `merged_lora_context(module, backup_adapters)`."""

    @contextmanager
    def wrapped(module: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
        from torch.distributed.fsdp import FSDPModule

        for unit in module.modules():
            if isinstance(unit, FSDPModule):
                unit.reshard()
        with merged(module, *args, **kwargs):
            yield

    wrapped._rl_align = True  # type: ignore[attr-defined]
    return wrapped


def install() -> None:
    """Wraps it where the engine looks it up. Safe to call twice."""
    import verl.workers.engine.fsdp.transformer_impl as target

    if not getattr(target.merged_lora_context, "_rl_align", False):
        target.merged_lora_context = sharded(target.merged_lora_context)


install()
