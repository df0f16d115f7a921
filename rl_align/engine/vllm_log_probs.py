"""What vLLM says of given tokens: the log-probabilities of a prompt's end.

    python -m rl_align.engine.vllm_log_probs JOB.json

JOB.json holds the arguments of `log_probs`, `engine` (an EngineConfig's fields, for the environment) and `out`, where the result
goes. A process of its own, whose environment vLLM may have to itself; whoever starts it holds the engine's lock.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.runfiles.atomic import write_json

from . import env
from .config import EngineConfig, Platform
from .cpu import vllm_version


def log_probs(
    model: str, texts: Sequence[Mapping[str, Any]], llm: Mapping[str, Any], adapter: str | None = None, rank: int = 0
) -> dict[str, Any]:
    """Log-probabilities of response tokens, of a text at a time.

    Args:
        model: Hugging Face folder.
        texts: `{"prompt_ids" (one image token a picture), "response_ids", "images": [base64]}`.
        llm: Arguments of vLLM's LLM beside the model.
        adapter: Folder of a PEFT adapter that goes on top; None for none.
        rank: Of that adapter.

    Returns:
        `{"log_probs": [[float]], "vllm": version}`.
    """
    import vllm
    from PIL import Image

    request = None
    if adapter is not None:
        from vllm.lora.request import LoRARequest

        request = LoRARequest("adapter", 1, adapter)
        llm = {**llm, "enable_lora": True, "max_loras": 1, "max_lora_rank": _lora_room(rank)}
    engine = vllm.LLM(model=model, **llm)
    # The prompt's own tokens and no others; what is sampled behind them is thrown away.
    params = vllm.SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
    found = []
    for text in texts:
        asked: dict[str, Any] = {"prompt_token_ids": [*text["prompt_ids"], *text["response_ids"]]}
        images = [Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB") for data in text["images"]]
        if images:
            asked["multi_modal_data"] = {"image": images}
        output = engine.generate([asked], params, use_tqdm=False, lora_request=request)[0]
        last = output.prompt_logprobs[-len(text["response_ids"]) :]
        found.append([float(choices[token].logprob) for choices, token in zip(last, text["response_ids"], strict=True)])
    return {"log_probs": found, "vllm": vllm.__version__}


def _lora_room(rank: int) -> int:
    """The smallest rank that vLLM has room for and that holds this one."""
    from typing import get_args

    from vllm.config.lora import MaxLoRARanks

    return min(room for room in get_args(MaxLoRARanks) if room >= rank)


def arguments(engine: EngineConfig, longest: int, images: int) -> dict[str, Any]:
    """Arguments of vLLM's LLM for texts of at most `longest` tokens with at most `images` pictures."""
    common = {
        "dtype": "auto",
        "seed": 0,
        "max_model_len": longest + 1,
        "max_num_batched_tokens": max(longest + 1, 4096),
        "limit_mm_per_prompt": {"image": max(1, images), "video": 0},
        "enforce_eager": True,
        "enable_prefix_caching": False,
    }
    if engine.platform is Platform.cpu:
        return common | {"enable_chunked_prefill": False, "distributed_executor_backend": "uni"}
    return common | {
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "tensor_parallel_size": engine.tensor_parallel,
    }


def main() -> None:
    """Command line."""
    job = json.loads(Path(sys.argv[1]).read_bytes())
    out, engine = Path(job.pop("out")), job.pop("engine")
    config = EngineConfig(**{**engine, "platform": Platform(engine["platform"])})
    env.apply(config)
    if config.platform is Platform.cpu:
        os.environ.update(env.of_rollout_server())
        vllm_version.apply()
    write_json(out, log_probs(**job))


if __name__ == "__main__":
    main()
