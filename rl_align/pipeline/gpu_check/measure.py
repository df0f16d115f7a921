"""From the files of a run to the numbers of the check. Reads only; whatever is not there yet is None.

Rates are sums over sums: the tokens of all steps over the seconds of all steps. The first step of every start does not count; it
compiles and warms up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from rl_align.pipeline.gpu_check.flops import Shapes, update_flops
from rl_align.runfiles.atomic import read_lines

PARTS = ("generate", "old_log_prob", "ref_log_prob", "advantage", "update", "sync", "wait", "step", "checkpoint", "reward")
CORRELATION = "training/rollout_actor_probs_pearson_corr"
#: verl's own measure, and what its trainer's process had of the GPU.
VERL_MFU = "perf/mfu/actor"
MEMORY = ("actor/perf/max_memory_allocated_gb", "perf/max_memory_allocated_gb")
#: Fewest steps of which two quarters say anything.
FEWEST_STEPS = 8

Rows = list[dict[str, Any]]


def steps_of(folder: Path, stage: str) -> Rows:
    """The steps of a stage in order; of a step that was done again, the last counts."""
    steps = {row["step"]: row for row in read_lines(folder / "metrics.jsonl") if row.get("stage") == stage}
    return [steps[number] for number in sorted(steps)]


def steady(rows: Rows) -> Rows:
    """Those that are no first step after a start; all when there are no others."""
    return [row for row in rows if "time/ready" not in row] or rows


def parts(rows: Rows) -> dict[str, float]:
    """Part of a step → mean seconds over the steady steps."""
    counted = steady(rows)
    names = [part for part in PARTS if any(f"time/{part}" in row for row in counted)]
    return {part: round(sum(row.get(f"time/{part}", 0.0) for row in counted) / len(counted), 4) for part in names}


def rollouts(folder: Path, stage: str, step: int) -> Rows:
    """The texts of a step as they were logged."""
    place = folder / "rollouts" if stage == "grpo" else folder / "rollouts" / stage
    return list(read_lines(place / f"step_{step:05d}.jsonl"))


def generation(folder: Path, rows: Rows, stage: str = "grpo", only: Sequence[int] | None = None) -> dict[str, Any] | None:
    """Tokens that the engine sampled a second while it generated, rewards and all; over the steps `only`, or all steady ones."""
    tokens, seconds, counted = 0, 0.0, []
    for row in steady(rows) if only is None else [row for row in rows if row["step"] in only]:
        texts = rollouts(folder, stage, row["step"])
        if texts and row.get("time/generate"):
            tokens, seconds = tokens + sum(text["tokens"] for text in texts), seconds + row["time/generate"]
            counted.append(row["step"])
    if not counted:
        return None
    return {"tokens_per_s": round(tokens / seconds, 1), "tokens": tokens, "seconds": round(seconds, 3), "steps": counted}


def same_prompts(folder: Path, rows: Rows, most: int = 4) -> dict[int, list[dict[str, Any]]]:
    """What plain vLLM is asked, by step: the items of the last steady ones, each as often and with as many tokens as it was."""
    steps = [row["step"] for row in steady(rows)][-most:]
    asked = {step: [{"item": t["item_id"], "tokens": t["tokens"]} for t in rollouts(folder, "grpo", step)] for step in steps}
    return {step: texts for step, texts in asked.items() if texts}


def update(
    folder: Path, rows: Rows, shapes: Shapes | None, peak: float | None, patches_each: int, shared: bool, stage: str = "grpo"
) -> dict[str, Any] | None:
    """Operations and MFU of the updates (`flops.py`), and what verl says itself.

    Args:
        folder: Run folder.
        rows: Steps of the stage.
        shapes: Of the model.
        peak: Of the GPU, operations a second; None where it is unknown.
        patches_each: Patches of a picture.
        shared: Whether siblings share their picture's pass through the tower.
        stage: Name of the stage.
    """
    operations, seconds, tokens = 0.0, 0.0, 0.0
    counted = [row for row in steady(rows) if row.get("time/update") and "perf/total_num_tokens" in row]
    if not counted or shapes is None:
        return None
    for row in counted:
        texts = rollouts(folder, stage, row["step"])
        pictures = [text["image"] for text in texts if text.get("image")]
        shown = len(set(pictures)) if shared else len(pictures)
        number = row.get("credit/rows") or len(texts)
        operations += update_flops(shapes, row["perf/total_num_tokens"], number, shown, patches_each)
        seconds, tokens = seconds + row["time/update"], tokens + row["perf/total_num_tokens"]
    told = [row[VERL_MFU] for row in counted if row.get(VERL_MFU)]
    return {
        "mfu": round(operations / (seconds * peak), 4) if peak else None,
        "tflops_per_s": round(operations / seconds / 1e12, 3),
        "tokens_per_s": round(tokens / seconds, 1),
        "mfu_by_verl": round(fmean(told), 4) if told else None,
        "steps": len(counted),
    }


def sync_share(rows: Rows) -> float | None:
    """Seconds of the weight sync over seconds of the step."""
    counted = [row for row in steady(rows) if row.get("time/step") and "time/sync" in row]
    whole = sum(row["time/step"] for row in counted)
    return round(sum(row["time/sync"] for row in counted) / whole, 5) if whole else None


def correlation(rows: Rows) -> dict[str, Any] | None:
    """The measured correlations of rollout and trainer probabilities."""
    values = [row[CORRELATION] for row in rows if CORRELATION in row]
    return {"lowest": min(values), "mean": fmean(values), "measured": len(values)} if values else None


def curve(rows: Rows, metric: str) -> list[list[float]]:
    """(step, value) pairs."""
    return [[row["step"], round(row[metric], 5)] for row in rows if metric in row]


def trainer_memory(rows: Rows) -> float | None:
    """GiB that the trainer's process had allocated at most, as torch says."""
    found = [row[name] for row in rows for name in MEMORY if row.get(name)]
    return round(max(found), 2) if found else None


def improvement(points: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    """How much higher the last quarter of a curve lies than its first, and the standard error of that; None for too few steps."""
    if len(points) < FEWEST_STEPS:
        return None
    values = [value for _, value in points]
    quarter = max(2, len(values) // 4)
    first, last = values[:quarter], values[-quarter:]
    error = (variance(first) / quarter + variance(last) / quarter) ** 0.5
    return {"first": round(fmean(first), 4), "last": round(fmean(last), 4), "standard_error": round(error, 5), "steps": len(values)}


def read_json(path: Path) -> Any:
    """A JSON file; None for one that is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def evaluation(folder: Path) -> dict[str, Any] | None:
    """Greedy measures on held-out items, and the matrix, as far as they are there."""
    names = ("attack_success", "over_refusal", "behaviour_accuracy", "citation_exact", "helpfulness", "format_ok")

    def few(measures: Mapping[str, Any]) -> dict[str, Any]:
        return {name: measures[name] for name in (*names, "n_harmful", "n_benign") if name in measures}

    found: dict[str, Any] = {}
    if results := read_json(folder / "eval" / "results.json"):
        found["responders"] = {m: {s: few(passes["greedy"]) for s, passes in splits.items()} for m, splits in results.items()}
    if matrix := read_json(folder / "eval" / "matrix" / "matrix.json"):
        found["matrix"] = {
            responder: {rewriter: {split: few(measures) for split, measures in splits.items()} for rewriter, splits in row.items()}
            for responder, row in matrix.items()
        }
    return found or None
