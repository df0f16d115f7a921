"""Times the engine's step on a toy whose reward any model can climb: the share of the letter "e".

    python -m rl_align.engine.bench --size 3m --steps 12 --json OUT

One line of JSON: step_s (from the end of one step to the end of the next) and parts (seconds, one a step), corr (measured
correlations), tokens (a step), ready_s. It measures the engine, not learning; `experiments/bench/` compares it with another trainer
on the same model, batch and lengths.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from .config import EngineConfig, GRPOConfig
from .scoring import Scored

PROMPT = "what color is the square?"
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 220), "yellow": (230, 220, 40)}
CORPUS = [
    PROMPT,
    "answer with one word: red green blue yellow",
    "system user assistant",
    "You are a helpful assistant.",
]


def letter_share(settings: Mapping[str, Any]):
    """A scorer: the share of the letter "e" among the characters.

    Args:
        settings: `flat_every` k: every k-th item pays the same for any text, so its groups teach nothing; 0 for none.
    """
    flat_every = settings.get("flat_every", 0)

    def score(row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        flat = flat_every and int(row["extra_info"]["item_id"].rpartition("-")[2]) % flat_every == 0
        value = 0.5 if flat else text.count("e") / max(1, len(text))
        return Scored(value, {"letter": value})

    return score


def write_rows(path: Path, count: int, edge: int) -> None:
    """Squares of one colour, in the layout of verl's RLHF dataset."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    rows = []
    for i in range(count):
        name = list(COLOURS)[i % len(COLOURS)]
        shade = tuple(max(0, c - i // len(COLOURS)) for c in COLOURS[name])  # every picture differs
        file = io.BytesIO()
        Image.new("RGB", (edge, edge), shade).save(file, "PNG")
        rows.append(
            {
                "data_source": "bench",
                "prompt": [{"role": "user", "content": f"<image>{PROMPT}"}],
                "images": [{"bytes": file.getvalue()}],
                "reward_model": {"style": "rule", "ground_truth": name},
                "extra_info": {"index": i, "item_id": f"bench-{i}", "split": "train"},
                "agent_name": "responder",
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), path)


def run(
    folder: Path,
    size: str,
    steps: int,
    tokens: int = 64,
    prompts: int = 16,
    rollouts: int = 8,
    edge: int = 84,
    extra: list[str] | None = None,
) -> dict[str, Any]:
    """Builds model and rows, runs `steps` steps and reads the metrics back."""
    from reward.panel import PanelConfig
    from rl_align.models.config import ModelConfig
    from rl_align.models.tiny import build

    from . import grpo

    began = time.time()
    command = psutil.Process().create_time()
    model = build(ModelConfig(size=size, vocab_size=512), folder / "model", CORPUS)
    write_rows(folder / "train.parquet", prompts * 16, edge)
    config = GRPOConfig(
        steps=steps,
        prompts_per_step=prompts,
        rollouts_per_prompt=rollouts,
        micro_batch_size=64,
        max_response_tokens=tokens,
        max_prompt_tokens=64,
        learning_rate=1e-3,
        correlation_every=10,
        save_every=-1,
    )
    small = size in ("1m", "3m")
    engine = EngineConfig(rollout_threads=1 if small else 0, extra=["actor_rollout_ref.rollout.ignore_eos=true", *(extra or [])])
    built = time.time()
    grpo.run(
        engine,
        config,
        model=model,
        train_file=folder / "train.parquet",
        folder=folder,
        resume_from=None,
        scorer="rl_align.engine.bench:letter_share",
        scorer_settings={},
        weights={"letter": 1.0},
        panel=PanelConfig(canaries_every=0),
        name="bench",
        command_began=command + (built - began),  # the command's start, less the making of the model
    )
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    parts = ("generate", "reward", "old_log_prob", "advantage", "update", "sync", "wait")
    return {
        "size": size,
        "built_s": built - began,
        "ready_s": rows[0].get("time/ready"),
        "step_s": [r.get("time/wall", r["time/step"]) for r in rows],
        "parts": {p: [r.get(f"time/{p}", 0.0) for r in rows] for p in parts},
        "corr": [r["training/rollout_actor_probs_pearson_corr"] for r in rows if "training/rollout_actor_probs_pearson_corr" in r],
        "reward": [r["reward/total"] for r in rows],
        "tokens": prompts * rollouts * tokens,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="3m")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--json", type=Path)
    parser.add_argument("extra", nargs="*", help="verl settings, key=value")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rl_align-bench-") as folder:
        result = run(Path(folder), args.size, args.steps, args.tokens, extra=args.extra)
    text = json.dumps(result)
    if args.json:
        args.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
