"""What a check of a GPU does, in which order, and how long each step may take. Standard library: a dry run needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

STAGE = "stage"
PROBE, PLAIN, FLOAT32 = "probe", "plain_vllm", "float32"
#: Seconds that a step has between being asked to end and being killed.
GRACE_S = 20.0
#: A step that would have less is not begun.
LEAST_S = 15.0


@dataclass(frozen=True)
class Step:
    """One process.

    Attributes:
        name: A stage of the experiment, or one of PROBE, PLAIN, FLOAT32.
        minutes: Its share of the time, and what it is thought to take: not measured.
        does: For a person.
        needs: Steps whose results it works on.
        cut: Whether it is ended at its share, because what it has measured by then counts. One that others need may take all the
            time that is left.
        settings: What it is given beside the experiment's settings.
    """

    name: str
    minutes: float
    does: str
    needs: tuple[str, ...] = ()
    cut: bool = False
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A check.

    Attributes:
        kind: small, big or cpu.
        experiment: YAML file.
        steps: In order.
    """

    kind: str
    experiment: Path
    steps: tuple[Step, ...]

    @property
    def minutes(self) -> float:
        """All shares together."""
        return sum(step.minutes for step in self.steps)

    @property
    def folder(self) -> str:
        """Where it works unless told otherwise."""
        return f"runs/{self.experiment.stem}"


#: The small check. The names of stages are those of its experiment, in its order.
SMALL = (
    Step(PROBE, 0.5, "versions, what torch sees, the speed of a matrix product"),
    Step("data", 0.5, "pictograms"),
    Step("model", 0.5, "a Qwen2.5-VL with random weights", ("data",)),
    Step("rows", 1, "rows for the engine", ("model",)),
    Step("pretrain", 2, "SFT: naming what pictures show", ("rows",)),
    Step("sft", 3, "SFT: the responder's warm start", ("pretrain",)),
    Step("grpo", 9, "GRPO of the responder: the parts of a step, MFU, weight sync, correlation", ("sft",), cut=True),
    Step(PLAIN, 2, "plain vLLM on the same prompts, as many tokens each", ("sft",), cut=True),
    Step("rewriter_rows", 0.5, "rows for the rewriter", ("model",)),
    Step("target", 2, "SFT: the rewriter's target", ("rewriter_rows", "pretrain")),
    Step("rewriter_sft", 3, "SFT: the rewriter's warm start", ("rewriter_rows", "pretrain")),
    Step("rewriter_grpo", 9, "GRPO of the rewriter, its target on the same GPU", ("rewriter_sft", "target"), cut=True),
    Step(FLOAT32, 4, "two steps of GRPO in float32: correlation against bfloat16's", ("sft",), cut=True),
    Step("eval", 2, "evaluation of the responders", ("grpo",), cut=True),
    Step("matrix", 2, "evaluation of responders behind rewriters", ("grpo", "rewriter_grpo"), cut=True),
)
#: Minutes of the big check's steps; what is not named here is not part of it.
BIG_MINUTES = {
    PROBE: 0.5, "data": 1, "model": 4, "rows": 1, "sft": 6, "grpo": 16, PLAIN: 4, "rewriter_rows": 0.5, "rewriter_sft": 6,
    "rewriter_grpo": 12, "eval": 4, "matrix": 5,
}  # fmt: skip
#: On a GPU of 80 GB there is no room for the moments beside a second model that is served: they stay in the machine's memory.
BIG_SETTINGS = {"rewriter_grpo": ("engine.extra=[actor_rollout_ref.actor.fsdp_config.offload_policy=true]",)}
#: Minutes of the steps on two CPU cores; one for those that are not named.
CPU_MINUTES = {"grpo": 4, PLAIN: 2, "rewriter_grpo": 5, FLOAT32: 4, "eval": 3, "matrix": 3}


def make_plan(root: Path, *, big: bool = False, cpu: bool = False) -> Plan:
    """The plan of a check.

    Args:
        root: The checkout.
        big: The 3 B architecture.
        cpu: A tiny model on the CPU.
    """
    kind = "big" if big else "cpu" if cpu else "small"
    experiment = root / "experiments" / "gpu" / f"gpu_check{'' if kind == 'small' else f'_{kind}'}.yaml"
    if not big:
        tiny = tuple(replace(step, minutes=float(CPU_MINUTES.get(step.name, 1))) for step in SMALL)
        return Plan(kind, experiment, tiny if cpu else SMALL)
    names = set(BIG_MINUTES)
    instead = {"pretrain": "model", "target": "sft"}  # the big model is shown no captions, and its target is the responder
    steps = []
    for step in SMALL:
        if step.name in names:
            needs = tuple(dict.fromkeys(instead.get(name, name) for name in step.needs))
            settings = BIG_SETTINGS.get(step.name, ())
            steps.append(replace(step, minutes=BIG_MINUTES[step.name], needs=needs, settings=settings))
    return Plan(kind, experiment, tuple(steps))


def allowance_s(step: Step, after: Sequence[Step], left_s: float, grace_s: float = GRACE_S) -> float:
    """How long a step may run.

    Args:
        step: The next one.
        after: Those that are due after it.
        left_s: Seconds until the end of the check.
        grace_s: Seconds that ending a step may take.

    Returns:
        Seconds until it is asked to end, at most what is left less the time that ending takes. A step that may be cut gets its
        share of what is left; what others leave over is shared out again.
    """
    most = left_s - grace_s
    if not step.cut:
        return most
    whole = step.minutes + sum(other.minutes for other in after)
    return min(most, left_s * step.minutes / whole)


def lines(plan: Plan, minutes: float) -> list[str]:
    """The plan for a person: the time split over the steps, none of it measured."""
    scale = minutes / plan.minutes
    out = []
    for step in plan.steps:
        rule = "at most" if step.cut else "about"
        out.append(f"{step.name:<14} {rule:<7} {step.minutes * scale:5.1f} min   {step.does}")
    return out
