"""verl's vLLM server with one more call: all siblings of a prompt in one request.

One request with `n` samples costs one RPC, one image preprocessing and one prompt instead of `n`; on a CPU that halves the time of
generation. Put in by `RolloutReplicaRegistry.register("vllm", load_replica)`, verl's public registry.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4


@dataclass
class GroupOutput:
    """What `generate_group` returns, one entry a sibling.

    Attributes:
        token_ids: Generated tokens, end token included.
        log_probs: Log-probability of each under the sampling distribution.
        finished: Whether the sibling ended by itself, not by length.
        global_steps: Version of the weights.
    """

    token_ids: list[list[int]]
    log_probs: list[list[float]]
    finished: list[bool]
    global_steps: int


@cache
def load_replica() -> type:
    """The replica class whose server has `generate_group`. Imports vLLM."""
    import ray
    from verl.workers.rollout.vllm_rollout.vllm_async_server import (
        SamplingParams,
        TokensPrompt,
        qwen2_5_vl_dedup_image_tokens,
        vLLMHttpServer,
        vLLMReplica,
    )
    from vllm.sampling_params import RequestOutputKind

    from . import early_processes

    class GroupHttpServer(vLLMHttpServer):
        async def generate_group(
            self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, image_data: list | None = None
        ) -> GroupOutput:
            """Samples `n` siblings of one prompt. Raises ValueError when the prompt leaves no room."""
            room = self.config.max_model_len - len(prompt_ids)
            if room < 1:
                raise ValueError(f"the prompt has {len(prompt_ids)} tokens, the model's context {self.config.max_model_len}")
            request_id = uuid4().hex
            params = dict(sampling_params)
            params.pop("logprobs", None)
            params.setdefault("ignore_eos", self.config.ignore_eos)
            params = SamplingParams(
                n=n,
                max_tokens=min(params.pop("max_tokens", self.config.response_length), room),
                logprobs=0,
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
                **params,
            )
            prompt = TokensPrompt(
                prompt_token_ids=qwen2_5_vl_dedup_image_tokens(list(prompt_ids), self.model_config.processor),
                multi_modal_data={"image": image_data} if image_data else {},
            )
            result = None
            async for output in self.engine.generate(prompt=prompt, sampling_params=params, request_id=request_id):
                result = output
            siblings = sorted(result.outputs, key=lambda o: o.index)
            return GroupOutput(
                token_ids=[list(o.token_ids) for o in siblings],
                log_probs=[[lp[t].logprob for t, lp in zip(o.token_ids, o.logprobs, strict=True)] for o in siblings],
                finished=[o.finish_reason == "stop" for o in siblings],
                global_steps=self.global_steps,
            )

    class GroupReplica(vLLMReplica):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            self.server_class = early_processes.server or ray.remote(GroupHttpServer)

    GroupReplica.server = GroupHttpServer
    return GroupReplica


def register() -> None:
    """Makes verl use our replica for `rollout.name=vllm`."""
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    RolloutReplicaRegistry.register("vllm", load_replica)


def inspect_model(model: str) -> None:
    """Has vLLM look up what the model's class can do, which takes seconds at the first start and is kept in its cache."""
    from vllm import ModelRegistry

    with suppress(Exception):  # it is looked up again where it is needed, and what is wrong is said there
        for name in json.loads((Path(model) / "config.json").read_bytes())["architectures"]:
            ModelRegistry.models[name].inspect_model_cls()
