"""Which process does a step, what shows that it is done, and what it is still lacking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rl_align.config import config_hash, load_config
from rl_align.engine.config import EngineConfig
from rl_align.engine.verl_config import GPU_BATCHED_TOKENS
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.gpu_check.measure import same_prompts, steps_of
from rl_align.pipeline.gpu_check.plan import FLOAT32, PLAIN, PROBE, Plan, Step
from rl_align.pipeline.parts import plain
from rl_align.pipeline.stages import RECORDS
from rl_align.runfiles.atomic import write_json

#: How GRPO is run in float32 on the warm start that there is: two steps, which measure the correlation.
FLOAT32_SETTINGS = (
    "seats=[responder]",
    "warm_start=false",
    "evaluate=false",
    "pretrain.steps=0",
    "engine.rollout_dtype=float32",
    "engine.train_dtype=float32",
    "grpo.steps=2",
    "grpo.save_every=2",
    "grpo.correlation_every=1",
)


class Commands:
    """The processes of a check.

    Args:
        plan: The plan.
        folder: Where it works.
        cpu: Whether it is a check of the CPU.
        overrides: `key=value` strings for the experiment.

    Raises:
        UserError: Settings that cannot work.
    """

    def __init__(self, plan: Plan, folder: Path, *, cpu: bool, overrides: Sequence[str] = ()):
        self.plan, self.folder, self.cpu, self.overrides = plan, folder.absolute(), cpu, tuple(overrides)
        self.run_folder, self.float32_folder = self.folder / "run", self.folder / FLOAT32
        self.config: RunConfig = resolve(load_config(RunConfig, plan.experiment, [*overrides, f"folder={self.run_folder}"]))
        #: What the results of all steps depend on.
        self.settings = config_hash(self.config)

    def of(self, step: Step) -> list[str]:
        """Arguments of the interpreter."""
        experiment = str(self.plan.experiment)
        if step.name == PROBE:
            return ["-m", "rl_align.engine.probe", str(self.result(step)), "--device", "cpu" if self.cpu else "cuda"]
        if step.name == PLAIN:
            return ["-m", "rl_align.engine.plain_vllm", str(self.folder / "plain_vllm-job.json")]
        run = ["-m", "rl_align.cli", "run", experiment]
        if step.name == FLOAT32:
            places = [f"folder={self.float32_folder}", f"model.path={self.run_folder / 'models' / 'sft'}"]
            return [*run, *self.overrides, *places, f"reuse=[{self.run_folder}]", *FLOAT32_SETTINGS, *step.settings]
        return [*run, "--only", step.name, *self.overrides, f"folder={self.run_folder}", *step.settings]

    def result(self, step: Step) -> Path:
        """The file that is there when a step is done."""
        named = {
            PROBE: self.folder / "probe.json",
            PLAIN: self.folder / "plain_vllm.json",
            FLOAT32: self.float32_folder / RECORDS / "grpo.json",
        }
        return named.get(step.name, self.run_folder / RECORDS / f"{step.name}.json")

    def finished(self, step: Step) -> bool:
        """Whether a step is done."""
        return self.result(step).is_file()

    def forget(self, step: Step) -> None:
        """Removes the result of an earlier run where nothing is continued from it."""
        if step.name in (PROBE, PLAIN):
            self.result(step).unlink(missing_ok=True)

    def lacks(self, step: Step) -> str:
        """What keeps a step from running; its job is written when nothing does."""
        if step.name != PLAIN:
            return ""
        steps = same_prompts(self.run_folder, steps_of(self.run_folder, "grpo"))
        if not steps:
            return "grpo has finished no step whose prompts it could take"
        write_json(self.folder / "plain_vllm-job.json", self._job(steps, self.result(step)))
        return ""

    def _job(self, steps: dict[int, Any], out: Path) -> dict[str, Any]:
        """Plain vLLM with the engine's settings, and the GPU to itself."""
        engine, grpo = self.config.engine, self.config.grpo
        longest = grpo.max_prompt_tokens + grpo.max_response_tokens
        return {
            "out": str(out),
            "of_steps": list(steps),
            "engine": plain(engine),
            "model": str(self.run_folder / "models" / "sft"),
            "rows": str(self.run_folder / "data" / "grpo.parquet"),
            "steps": list(steps.values()),
            "temperature": grpo.temperature,
            "top_p": grpo.top_p,
            "llm": {
                "dtype": engine.rollout_dtype,
                "seed": 0,
                "max_model_len": longest,
                "max_num_seqs": max(grpo.prompts_per_step * grpo.rollouts_per_prompt, 128),
                "limit_mm_per_prompt": {"video": 0},
                **(self._of_cpu(longest) if self.cpu else self._of_gpu(engine, longest)),
            },
        }

    def _of_cpu(self, longest: int) -> dict[str, Any]:
        grpo = self.config.grpo
        batch = grpo.prompts_per_step * grpo.rollouts_per_prompt * grpo.max_prompt_tokens
        eager = {"enforce_eager": True, "enable_prefix_caching": False, "enable_chunked_prefill": False}
        return {**eager, "max_num_batched_tokens": max(longest, batch), "distributed_executor_backend": "uni"}

    def _of_gpu(self, engine: EngineConfig, longest: int) -> dict[str, Any]:
        return {
            "enforce_eager": False,
            "enable_prefix_caching": True,
            "max_num_batched_tokens": max(longest, GPU_BATCHED_TOKENS),
            "gpu_memory_utilization": engine.gpu_memory_utilization,
            "tensor_parallel_size": engine.tensor_parallel,
        }
