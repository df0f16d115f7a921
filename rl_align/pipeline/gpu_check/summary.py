"""Fills a check's record with what its files say so far."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rl_align.pipeline.gpu_check import measure
from rl_align.pipeline.gpu_check.command_lines import Commands
from rl_align.pipeline.gpu_check.flops import patches, read_shapes
from rl_align.pipeline.gpu_check.machine import GPU
from rl_align.pipeline.gpu_check.record import Record

SUPERVISED, REINFORCED = ("pretrain", "sft", "target", "rewriter_sft"), ("grpo", "rewriter_grpo")


class Summary:
    """The measuring side of a check.

    Args:
        commands: Where things lie.
        record: What is filled.
        gpu: The GPU; None for a check of the CPU.
    """

    def __init__(self, commands: Commands, record: Record, gpu: GPU | None):
        self.commands, self.record, self.gpu = commands, record, gpu

    def measure(self) -> None:
        """Reads everything anew; a missing file is nothing measured."""
        run, config = self.commands.run_folder, self.commands.config
        rows = {stage: measure.steps_of(run, stage) for stage in (*SUPERVISED, *REINFORCED)}
        rows["float32"] = measure.steps_of(self.commands.float32_folder, "grpo")
        for name, steps in rows.items():
            if name in self.record.steps and steps:
                self.record.steps[name] |= {"training_steps": len(steps), "parts_s": measure.parts(steps)}
        shapes = next((s for name in ("base", "untrained") if (s := read_shapes(run / "models" / name))), None)
        size = patches(config.pictograms.image_size, config.model.image_size)
        counting = (shapes, self.gpu.peak if self.gpu else None, size, config.engine.share_images)
        self.record.machine["probe"] = measure.read_json(self.commands.folder / "probe.json")
        self.record.measured = {
            "model": None if shapes is None else {"size": config.model.size, **asdict(shapes), "patches_a_picture": size},
            "generation": self._generation(rows),
            "update": measure.update(run, rows["grpo"], *counting),
            "update_rewriter": measure.update(run, rows["rewriter_grpo"], *counting, stage="rewriter_grpo"),
            "weight_sync": {"share": measure.sync_share(rows["grpo"]), "rewriter": measure.sync_share(rows["rewriter_grpo"])},
            "memory": self._memory(rows),
            "correlation": {
                "bfloat16": measure.correlation(rows["grpo"]),
                "bfloat16_rewriter": measure.correlation(rows["rewriter_grpo"]),
                "float32": measure.correlation(rows["float32"]),
            },
            "curves": self._curves(rows),
            "evaluation": measure.evaluation(run),
        }

    def _generation(self, rows: dict[str, measure.Rows]) -> dict[str, Any]:
        run = self.commands.run_folder
        engine = measure.generation(run, rows["grpo"])
        plain = measure.read_json(self.commands.folder / "plain_vllm.json")
        same = measure.generation(run, rows["grpo"], only=plain["of_steps"]) if plain else None
        ratio = round(same["tokens_per_s"] / plain["tokens_per_s"], 4) if same and plain else None
        beside_target = measure.generation(run, rows["rewriter_grpo"], "rewriter_grpo")
        found = {"engine": engine, "engine_same_steps": same, "plain_vllm": plain, "ratio": ratio}
        return {**found, "rewriter_beside_its_target": beside_target}

    def _memory(self, rows: dict[str, measure.Rows]) -> dict[str, Any]:
        steps = self.record.steps
        peaks = {name: entry["gpu_memory_peak_mib"] for name, entry in steps.items() if "gpu_memory_peak_mib" in entry}
        trainer = {name: peak for name, steps in rows.items() if (peak := measure.trainer_memory(steps)) is not None}
        return {"gpu_peak_mib": max(peaks.values(), default=None), "gpu_peak_mib_by_step": peaks, "trainer_peak_gib": trainer}

    def _curves(self, rows: dict[str, measure.Rows]) -> dict[str, Any]:
        curves: dict[str, Any] = {stage: measure.curve(rows[stage], "loss/train") for stage in SUPERVISED if rows[stage]}
        for stage in REINFORCED:
            if rows[stage]:
                curves[stage] = measure.curve(rows[stage], "reward/total")
                curves[f"{stage}_change"] = measure.improvement(curves[stage])
        return curves
