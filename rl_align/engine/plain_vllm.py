"""Times vLLM alone on prompts that the engine has sampled: what generation costs without the engine around it.

    python -m rl_align.engine.plain_vllm JOB.json

Every text of the job is asked for again: the same prompt and picture, the same sampling parameters, and as many tokens as it had
(the end token is ignored), so that both sides do the same work. One `LLM.generate` a step of the engine's; the first is done twice
and its first time does not count. JOB.json holds the arguments of `measure`, `engine` (an EngineConfig's fields, for the
environment), `of_steps` (the engine's numbers of the steps) and `out`, where the result goes.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.models.vocabulary import special_tokens, vision_bias
from rl_align.runfiles.atomic import write_json
from rl_align.runfiles.lock import engine_lock

from . import env
from .chat import parts
from .config import EngineConfig, Platform
from .cpu import vllm_version


def prompts(model: Path, rows: Path, items: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Item → its prompt as vLLM takes it: token ids with one placeholder a picture, and the pictures."""
    import pyarrow.parquet as pq
    from PIL import Image
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model, trust_remote_code=False)
    wanted, found = set(items), {}
    for row in pq.read_table(rows).to_pylist():
        item = row["extra_info"]["item_id"]
        if item not in wanted:
            continue
        messages = [{"role": m["role"], "content": parts(m["content"])} for m in row["prompt"]]
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        found[item] = {"prompt_token_ids": processor.tokenizer(text, add_special_tokens=False)["input_ids"]}
        images = [Image.open(io.BytesIO(image["bytes"])).convert("RGB") for image in row["images"] or []]
        if images:
            found[item]["multi_modal_data"] = {"image": images}
    return found


def measure(
    model: str, rows: str, steps: Sequence[Sequence[Mapping[str, Any]]], temperature: float, top_p: float, llm: Mapping[str, Any]
) -> dict[str, Any]:
    """Tokens a second.

    Args:
        model: Hugging Face folder.
        rows: Parquet of prompts that the engine was given.
        steps: Of each step, its texts as `{"item": id, "tokens": n}`.
        temperature: Of sampling.
        top_p: Of sampling.
        llm: Arguments of vLLM's LLM beside the model.
    """
    from vllm import LLM, SamplingParams

    texts = [text for step in steps for text in step]
    asked = prompts(Path(model), Path(rows), [text["item"] for text in texts])
    banned = vision_bias(special_tokens(model))
    engine = LLM(model=model, **llm)
    seconds = []
    for step in (steps[0], *steps):
        params = [
            SamplingParams(
                temperature=temperature,
                top_p=top_p,
                max_tokens=text["tokens"],
                ignore_eos=True,
                logprobs=0,
                detokenize=False,
                logit_bias=banned,
            )
            for text in step
        ]
        begun = time.perf_counter()
        outputs = engine.generate([asked[text["item"]] for text in step], params, use_tqdm=False)
        seconds.append(time.perf_counter() - begun)
        made = sum(len(sample.token_ids) for output in outputs for sample in output.outputs)
        if made != sum(text["tokens"] for text in step):
            raise RuntimeError(f"vLLM made {made} tokens where {sum(text['tokens'] for text in step)} were asked for")
    tokens = sum(text["tokens"] for text in texts)
    counted = seconds[1:]
    return {
        "tokens_per_s": round(tokens / sum(counted), 1),
        "tokens": tokens,
        "seconds": round(sum(counted), 3),
        "steps": len(counted),
        "texts": len(texts),
    }


def main() -> None:
    """Command line."""
    job = json.loads(Path(sys.argv[1]).read_bytes())
    out, of_steps, engine = Path(job.pop("out")), job.pop("of_steps"), job.pop("engine")
    config = EngineConfig(**{**engine, "platform": Platform(engine["platform"])})
    env.apply(config)
    if config.platform is Platform.cpu:
        os.environ.update(env.of_rollout_server())
        vllm_version.apply()
    with engine_lock(str(out)):
        write_json(out, {**measure(**job), "of_steps": of_steps})


if __name__ == "__main__":
    main()
