"""The estimated rows of the README's hardware table: `python -m rl_align.pipeline.hardware`, in the checkout.

By the formulas of `rl_align/pipeline/estimate.py`, for the settings of `experiments/`. Nothing is started, no model is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rl_align.config import load_config
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.estimate import BUILT, memory_bytes, plan, step_s

#: Parameters of the published model.
QWEN_7B = 8.29e9
EXPERIMENTS = Path("experiments")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        model: Its name.
        parameters: How many it has.
        method: What is trained.
        config: File below `experiments/`.
        stage: The stage of it that is shown.
        serving: GPUs beside the training ones, for the target.
    """

    model: str
    parameters: float
    method: str
    config: str
    stage: str
    serving: int = 0

    def line(self, experiments: Path = EXPERIMENTS) -> str:
        """In Markdown. Raises UserError where the file is not there."""
        c = load_config(RunConfig, experiments / self.config)
        devices = c.engine.nodes * c.engine.devices_per_node
        stage = next(s for s in plan(c) if s.name == self.stage)
        memory = memory_bytes(self.parameters, devices) / 1e9
        server = 2 * self.parameters / c.engine.tensor_parallel / 1e9
        gpus = f"{devices} + {self.serving}" if self.serving else f"{devices}"
        held = f"{memory:.0f} GB" if self.stage == "sft" else f"{memory:.0f} GB, vLLM's weights {server:.0f} GB"
        seconds = step_s(stage, c, self.parameters, devices)
        return f"| {self.model} | {self.method} | {gpus} | {held} | {seconds:.0f} s | estimate |"


BIG, QWEN = "gpu/gpu_check_big.yaml", "qwen/qwen2_5_vl_7b.yaml"
ROWS = (
    Row("Qwen2.5-VL-3B", BUILT["3b"], "SFT", BIG, "sft"),
    Row("Qwen2.5-VL-3B", BUILT["3b"], "GRPO, responder", BIG, "grpo"),
    Row("Qwen2.5-VL-7B", QWEN_7B, "SFT", QWEN, "sft"),
    Row("Qwen2.5-VL-7B", QWEN_7B, "GRPO, responder", QWEN, "grpo"),
    Row("Qwen2.5-VL-7B", QWEN_7B, "GRPO, rewriter", "qwen/qwen2_5_vl_7b_rewriter.yaml", "rewriter_grpo", 1),
    Row("Qwen2.5-VL-7B", QWEN_7B, "co-training, alternate", "qwen/qwen2_5_vl_7b_cotrain_alternate.yaml", "responder_round_1", 1),
    Row("Qwen2.5-VL-7B", QWEN_7B, "co-training, shared", "qwen/qwen2_5_vl_7b_cotrain_shared.yaml", "shared"),
)


def table(experiments: Path = EXPERIMENTS) -> list[str]:
    """The rows. Raises UserError where `experiments` is not there."""
    return [row.line(experiments) for row in ROWS]


if __name__ == "__main__":
    print("\n".join(table()))
