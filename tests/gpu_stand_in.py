"""Stands where a check of a GPU starts Python: leaves behind at once what `rl-align run --only STAGE` and the other modules do.

`GPU_STAND_IN` names a JSON file: step → {"steps": n, "step_s": seconds of each, "fail": last line, "deaf": ignores SIGTERM}. What
it was called for is appended to the file `calls` beside it.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

#: A step of 4 texts of 10 tokens, prompts of 15: 40 tokens in 2 s, 100 tokens in the update's 1 s, sync 0.1 of 5 s.
TEXTS, TOKENS, PROMPT = 4, 10, 15
STEP = {
    "time/generate": 2.0,
    "time/update": 1.0,
    "time/sync": 0.1,
    "time/step": 5.0,
    "perf/total_num_tokens": TEXTS * (TOKENS + PROMPT),
}
#: Weights of a made-up model: tied, 2 layers; text 2,000 parameters, tower 1,000, merger 400.
WEIGHTS = {
    "model.language_model.embed_tokens.weight": [50, 40],
    "model.visual.blocks.weight": [1000],
    "model.visual.merger.w": [400],
}
CONFIG = {"text_config": {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8}}
STEPS = 12


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + "~")
    partial.write_text(json.dumps(value))
    partial.replace(path)


def train(folder: Path, stage: str, how: dict) -> None:
    """Steps that go on behind the last one that is there, one line each."""
    metrics = folder / "metrics.jsonl"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.touch()
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    begin = max((row["step"] for row in lines if row["stage"] == stage), default=0) + 1
    for step in range(begin, how.get("steps", STEPS) + 1):
        time.sleep(how.get("step_s", 0))
        row = {"stage": stage, "step": step}
        if step == begin:
            row["time/ready"] = 9.0  # the first step after a start, a hundred times as slow
        if stage in ("grpo", "rewriter_grpo"):
            slow = 100 if step == begin else 1
            texts = [{"item_id": f"i{step}", "tokens": TOKENS, "image": f"images/{step}.png"} for _ in range(TEXTS)]
            place = folder / "rollouts" / ("" if stage == "grpo" else stage)
            place.mkdir(parents=True, exist_ok=True)
            partial = place / "step~"
            partial.write_text("".join(json.dumps(text) + "\n" for text in texts))
            partial.replace(place / f"step_{step:05d}.jsonl")
            row |= {k: v * (slow if k.startswith("time/") else 1) for k, v in STEP.items()}
            row |= {"credit/rows": TEXTS, "reward/total": 0.1 * step, "training/rollout_actor_probs_pearson_corr": 0.999}
            row |= {"actor/perf/max_memory_allocated_gb": 7.5}
        else:
            row |= {"loss/train": 1 / step, "time/update": 0.1, "time/step": 0.2}
        with open(metrics, "a") as file:
            file.write(json.dumps(row) + "\n")


def run(arguments: list[str], how: dict) -> None:
    """`rl-align run`."""
    folder = Path(next(a.removeprefix("folder=") for a in arguments if a.startswith("folder=")))
    stage = arguments[arguments.index("--only") + 1] if "--only" in arguments else "grpo"
    if stage == "model":
        header = json.dumps({name: {"shape": shape} for name, shape in WEIGHTS.items()}).encode()
        place = folder / "models" / "untrained"
        place.mkdir(parents=True, exist_ok=True)
        (place / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        write(place / "config.json", CONFIG)
    if stage in ("pretrain", "sft", "grpo", "target", "rewriter_sft", "rewriter_grpo"):
        train(folder, stage, how)
    write(folder / "stages" / f"{stage}.json", {"seconds": 1.0})


def main() -> None:
    module, arguments = sys.argv[2], sys.argv[3:]
    name = {"rl_align.engine.probe": "probe", "rl_align.engine.plain_vllm": "plain_vllm"}.get(module)
    name = name or (arguments[arguments.index("--only") + 1] if "--only" in arguments else "float32")
    script = Path(os.environ["GPU_STAND_IN"])
    with open(script.with_name("calls"), "a") as file:
        file.write(name + "\n")
    how = json.loads(script.read_text()).get(name, {})
    if how.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"{name} begins", flush=True)
    if "fail" in how:
        print(how["fail"], flush=True)
        sys.exit(1)
    if name == "probe":
        write(Path(arguments[0]), {"torch": "2.11.0", "matmul_tflops_per_s": 700.0})
    elif name == "plain_vllm":
        job = json.loads(Path(arguments[0]).read_text())
        time.sleep(how.get("step_s", 0))
        write(Path(job["out"]), {"tokens_per_s": 25.0, "of_steps": job["of_steps"]})
    else:
        run(arguments, how)


if __name__ == "__main__":
    main()
