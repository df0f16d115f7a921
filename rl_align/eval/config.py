"""Settings of an evaluation. Importable without Inspect, torch or vllm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from rl_align.endpoints.serving_config import DEVICES, ServerConfig
from rl_align.errors import UserError


@dataclass
class EvalConfig:
    """What is measured, and how.

    Attributes:
        models: Models of a run that are measured (base, sft, grpo); none named means all.
        max_tokens: Longest answer.
        temperature: Of the sampled pass; None is the training temperature in a run, and 1 elsewhere. The greedy pass always runs.
        sampled: Whether the sampled pass runs.
        limit: Items of each split, from its beginning; 0 means all.
        seed: Of sampling; every item draws from its own stream.
        max_connections: Requests in flight at one server.
        servers_at_once: Models that are served and measured side by side. 1 on a GPU; on a CPU as many as memory allows
            (2.5 GB each for a tiny model).
        request_timeout_s: A request that takes longer fails the evaluation.
        log_samples: Keep every sample in Inspect's own log too, for `inspect view` (3 ms a sample).
        server: How models are served.
    """

    models: list[str] = field(default_factory=list)
    max_tokens: int = 160
    temperature: Optional[float] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    sampled: bool = True
    limit: int = 0
    seed: int = 0
    max_connections: int = 128
    servers_at_once: int = 1
    request_timeout_s: float = 600.0
    log_samples: bool = False
    server: ServerConfig = field(default_factory=ServerConfig)


def check(cfg: EvalConfig) -> None:
    """Raises UserError for the first setting that cannot work."""
    for key in ("max_tokens", "max_connections", "servers_at_once", "request_timeout_s"):
        if getattr(cfg, key) <= 0:
            raise UserError(f"is {getattr(cfg, key)}", where=f"eval.{key}", expected="a positive number")
    if cfg.limit < 0:
        raise UserError(f"is {cfg.limit}", where="eval.limit", expected="a number of items, or 0 for all")
    if cfg.sampled and cfg.temperature is not None and cfg.temperature <= 0:
        raise UserError(f"is {cfg.temperature}", where="eval.temperature", expected="a positive number")
    if cfg.server.device not in DEVICES:
        raise UserError(f"is {cfg.server.device!r}", where="eval.server.device", expected=" or ".join(DEVICES))
    if cfg.server.max_model_len <= cfg.max_tokens:
        raise UserError(
            f"is {cfg.server.max_model_len}, which leaves no room for a prompt",
            where="eval.server.max_model_len",
            expected=f"more than eval.max_tokens ({cfg.max_tokens})",
        )
