"""verl's vLLM server with two more calls: all siblings of a prompt in one request, together or each as it lands.

One request with `n` samples costs one RPC, one image preprocessing and one prompt instead of `n`; on a CPU that halves the time of
generation. Put in by `RolloutReplicaRegistry.register("vllm", load_replica)`, verl's public registry.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4


@dataclass
class Sibling:
    """One sampled text of a group.

    Attributes:
        token_ids: Generated tokens, end token included.
        log_probs: Log-probability of each under the sampling distribution.
        finished: Whether it ended by itself, not by length.
        global_steps: Version of the weights.
    """

    token_ids: list[int]
    log_probs: list[float]
    finished: bool
    global_steps: int


@cache
def load_replica() -> type:
    """The replica class whose server has `generate_group` and `stream_group`. Imports vLLM."""
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

    # Names alone: Ray hands the class to other processes, and defaults of parameters cannot be handed on.
    KNOWN = frozenset(inspect.signature(SamplingParams).parameters)

    class GroupHttpServer(vLLMHttpServer):
        async def generate_group(
            self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, image_data: list | None = None
        ) -> list[Sibling]:
            """Samples `n` siblings of one prompt. Raises ValueError when the prompt leaves no room."""
            result = None
            async for output in self._generate(prompt_ids, sampling_params, n, image_data, RequestOutputKind.FINAL_ONLY):
                result = output
            return [self._sibling(o) for o in sorted(result.outputs, key=lambda o: o.index)]

        async def stream_group(
            self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, image_data: list | None = None
        ) -> AsyncIterator[tuple[int, Sibling]]:
            """As `generate_group`, but yields each sibling, with its index, as soon as it has ended."""
            # Without the interval vLLM would hand over every token. Before 0.26 it is the server's alone (verl_config.py sets it).
            whole = {"stream_interval": self.config.max_model_len + 1} if "stream_interval" in KNOWN else {}
            async for output in self._generate(prompt_ids, sampling_params | whole, n, image_data, RequestOutputKind.CUMULATIVE):
                for sibling in output.outputs:
                    if sibling.finished():
                        yield sibling.index, self._sibling(sibling)

        def _generate(
            self, prompt_ids: list[int], sampling_params: dict[str, Any], n: int, image_data: list | None, kind: Any
        ) -> AsyncIterator[Any]:
            room = self.config.max_model_len - len(prompt_ids)
            if room < 1:
                raise ValueError(f"the prompt has {len(prompt_ids)} tokens, the model's context {self.config.max_model_len}")
            params = dict(sampling_params)
            params.pop("logprobs", None)
            params.setdefault("ignore_eos", self.config.ignore_eos)
            params = SamplingParams(
                n=n,
                max_tokens=min(params.pop("max_tokens", self.config.response_length), room),
                logprobs=0,
                detokenize=False,
                output_kind=kind,
                **params,
            )
            prompt = TokensPrompt(
                prompt_token_ids=qwen2_5_vl_dedup_image_tokens(list(prompt_ids), self.model_config.processor),
                multi_modal_data={"image": image_data} if image_data else {},
            )
            return self.engine.generate(prompt=prompt, sampling_params=params, request_id=uuid4().hex)

        def _sibling(self, output: Any) -> Sibling:
            return Sibling(
                token_ids=list(output.token_ids),
                log_probs=[lp[t].logprob for t, lp in zip(output.token_ids, output.logprobs, strict=True)],
                finished=output.finish_reason == "stop",
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
