"""How a model of ours is served. Importable without torch or vllm."""

from __future__ import annotations

from dataclasses import dataclass, field

DEVICES = ("cpu", "cuda")


@dataclass
class ServerConfig:
    """How a model is served.

    Attributes:
        device: cpu or cuda.
        dtype: Number format.
        threads: Threads of one server on a CPU; 0 shares all cores among the servers that run at once. A model of a few million
            parameters is slower with two threads than with one.
        kv_cache_gb: Memory for the KV cache of one server on a CPU.
        gpu_memory_utilization: Share of a GPU's memory that one server may take.
        shares_gpu: Beside a trainer: take no GPU of its own, but part of the trainer's first one. It is started before the trainer,
            which has to leave it that memory.
        tensor_parallel: Devices of one server.
        max_model_len: Tokens of the longest prompt, images included, and its answer.
        max_num_seqs: Requests that are generated at the same time.
        start_timeout_s: A server that is not ready by then is given up.
        extra: Further arguments of `vllm serve`.
    """

    device: str = "cpu"
    dtype: str = "bfloat16"
    threads: int = 0
    kv_cache_gb: int = 1
    gpu_memory_utilization: float = 0.85
    shares_gpu: bool = False
    tensor_parallel: int = 1
    max_model_len: int = 512
    max_num_seqs: int = 128
    start_timeout_s: float = 300.0
    extra: list[str] = field(default_factory=list)
