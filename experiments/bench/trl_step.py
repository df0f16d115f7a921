"""Question: how long does one step of TRL's GRPOTrainer take on the benchmark's workload?
Command: .venv-trl/bin/python trl_step.py --model DIR --data FILE --steps 12 --json OUT (compare.py runs it).
Expect: a JSON object with the seconds of every step, those spent generating, and the tokens of a step.
Cost: seconds to load, then about 2 s a step at 3 M parameters and 13 s at 30 M on two cores.

One process, transformers' generate, no vLLM. Each choice that TRL leaves open is made for speed: the whole batch in one
forward pass, no gradient checkpointing, no reference model, no second pass for old log-probabilities. Each completion
has exactly 64 tokens. The reward is the benchmark's on either side: the share of the letter e.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch
from datasets import Dataset
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

PROMPTS_P = 16
ROLLOUTS_G = 8
TOKENS_T = 64


class StepClock(TrainerCallback):
    """Seconds from the end of one step to the end of the next, so that nothing between steps goes uncounted."""

    def __init__(self) -> None:
        self.step_s: list[float] = []

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.last = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs) -> None:
        now = time.perf_counter()
        self.step_s.append(now - self.last)
        self.last = now


def dataset(path: Path) -> Dataset:
    """The prompts as TRL wants them: a conversation without image marks, and the image in a column of its own."""
    rows = pq.read_table(path).to_pylist()
    return Dataset.from_list(
        [
            {
                "prompt": [
                    {**message, "content": message["content"].removeprefix("<image>")} for message in row["prompt"]
                ],
                "image": Image.open(io.BytesIO(row["images"][0]["bytes"])),
            }
            for row in rows
        ]
    )


def reward(completions: list[list[dict]], **kwargs) -> list[float]:
    """Share of the letter e among the characters of each completion, in [0, 1]."""
    texts = [turns[0]["content"] for turns in completions]
    return [text.count("e") / max(1, len(text)) for text in texts]


def measure(model_path: Path, data: Path, steps: int, bf16: bool, output: str) -> dict:
    """Train for some steps.

    Args:
        model_path: Hugging Face folder.
        data: Rows as verl reads them: a prompt with one `<image>` at its start, and one image.
        steps: Steps to take.
        bf16: Autocast to bfloat16, TRL's default, or stay in float32.
        output: Folder for what the trainer insists on writing.

    Returns:
        Seconds (`step_s`, `parts`) and rewards, one a step; tokens of a step; tokens of a prompt; what it ran with.
    """
    import transformers
    import trl

    config = GRPOConfig(
        output_dir=output,
        use_cpu=True,
        bf16=bf16,
        max_steps=steps,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        per_device_train_batch_size=PROMPTS_P * ROLLOUTS_G,
        gradient_accumulation_steps=1,
        num_generations=ROLLOUTS_G,
        max_completion_length=TOKENS_T,
        generation_kwargs={"min_new_tokens": TOKENS_T},
        temperature=1.0,
        beta=0.0,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )
    clock = StepClock()
    trainer = GRPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(model_path, dtype=torch.float32),
        processing_class=AutoProcessor.from_pretrained(model_path),
        reward_funcs=reward,
        args=config,
        train_dataset=dataset(data),
        callbacks=[clock],
    )
    generate_s, prompt_tokens = [], []
    generate = trainer.model.generate

    def timed(*args, **kwargs):
        began = time.perf_counter()
        result = generate(*args, **kwargs)
        generate_s.append(time.perf_counter() - began)
        prompt_tokens.append(kwargs["input_ids"].shape[1])
        return result

    trainer.model.generate = timed
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "completions/mean_length" in entry]
    return {
        "step_s": clock.step_s,
        "parts": {"generate": generate_s},
        "tokens": logs[-1]["completions/mean_length"] * PROMPTS_P * ROLLOUTS_G,
        "prompt_tokens": prompt_tokens[0],
        "reward": [entry["reward"] for entry in logs],
        "versions": {"trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__},
        "threads": torch.get_num_threads(),
        "dtype": "bfloat16" if bf16 else "float32",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--float32", action="store_true", help="no autocast to bfloat16")
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.json.parent) as output:
        result = measure(args.model, args.data, args.steps, not args.float32, output)
    args.json.write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
