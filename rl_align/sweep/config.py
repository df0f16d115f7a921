"""Settings of a sweep: which keys of an experiment take which values, where its trials run, and what is read of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional

from rl_align.errors import UserError

#: How many trials may run at once; a queue of more is for several sweeps.
MOST_AT_ONCE = 256
#: More trials than this are a mistake in a grid.
MOST_TRIALS = 10_000


class Method(str, Enum):
    """grid: every combination. random: `trials` of them. asha: as random, and what falls behind is stopped (arXiv 1810.05934)."""

    grid = "grid"
    random = "random"
    asha = "asha"


class Target(str, Enum):
    """Where trials run: the targets of `rl-align launch`."""

    local = "local"
    ray = "ray"
    slurm = "slurm"


class Scale(str, Enum):
    """Whether a range is drawn from evenly, or evenly in its logarithm."""

    linear = "linear"
    log = "log"


@dataclass
class AxisConfig:
    """What one axis takes: `values` of the key that it is named after, a range of it, or named `choices` of several settings.

    Attributes:
        values: Values of the key.
        choices: Name → `key=value` settings of that choice; the axis may then be called anything. Names that are numbers are
            read as such where effects are computed.
        low: Lower end of a range.
        high: Upper end.
        scale: linear or log.
        whole: Draw whole numbers only.
    """

    values: list[Any] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    low: Optional[float] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    high: Optional[float] = None  # noqa: UP045
    scale: Scale = Scale.linear
    whole: bool = False

    @property
    def is_range(self) -> bool:
        """Whether it is a range."""
        return self.low is not None or self.high is not None


@dataclass
class AshaConfig:
    """Asynchronous successive halving, by Ray Tune's scheduler. Trials of one seed compete.

    Attributes:
        metric: Metric of the training steps that trials are compared by, averaged over the last five steps.
        mode: max or min.
        grace: Steps before a trial may be stopped.
        reduction: At `grace`, `grace · reduction`, … steps the best of `reduction` go on.
        steps: Steps of a whole trial; 0 reads them from the experiment.
    """

    metric: str = "reward/total"
    mode: str = "max"
    grace: int = 10
    reduction: float = 3.0
    steps: int = 0

    def __post_init__(self) -> None:
        if self.mode not in ("max", "min"):
            raise UserError(f"is {self.mode!r}", where="asha.mode", expected="max or min")
        if self.grace < 1 or self.steps < 0:
            raise UserError(f"{self.grace} of {self.steps} steps", where="asha.grace", expected="1 or more")
        if not (math.isfinite(self.reduction) and self.reduction > 1):
            raise UserError(f"is {self.reduction}", where="asha.reduction", expected="more than 1")


@dataclass
class SweepConfig:
    """A sweep.

    Attributes:
        experiment: YAML file that the trials share, relative to the sweep's.
        folder: Gets `trials/<hash of a trial's settings>` run folders, the tables and the plot.
        method: grid, random or asha.
        trials: How many combinations are drawn by random and asha.
        draw_seed: Which ones; the same number draws the same.
        seed: The first seed of the runs.
        seeds: How many; every combination runs with each.
        settings: `key=value` of all trials.
        space: Key → what it takes, or a name → choices of several settings.
        target: local, ray or slurm; `job.key=value` and `--job FILE` describe the job, as for `rl-align launch`.
        concurrency: Trials that run, or wait in a cluster's queue, at the same time.
        share: Take stages over that another trial of the seed has finished with the same settings and inputs.
        reuse: Other run folders to take stages over from, with `{seed}` for the seed.
        model: The model of a run that is compared.
        cell: [responder, rewriter]: the cell of the runs' matrix that is compared in place of `model`.
        stage: The training stage whose steps are read.
        logged: Title → metric of the training steps, averaged over the last five; a column beside what was measured.
        objective: Which metric orders the table and colours the plot; `sum` is attack success + over-refusal.
        asha: Successive halving.
    """

    experiment: str = ""
    folder: str = "runs/sweep"
    method: Method = Method.grid
    trials: int = 12
    draw_seed: int = 0
    seed: int = 0
    seeds: int = 1
    settings: list[str] = field(default_factory=list)
    space: dict[str, AxisConfig] = field(default_factory=dict)
    target: Target = Target.local
    concurrency: int = 1
    share: bool = True
    reuse: list[str] = field(default_factory=list)
    model: str = "grpo"
    cell: list[str] = field(default_factory=list)
    stage: str = "grpo"
    logged: dict[str, str] = field(default_factory=dict)
    objective: str = "sum"
    asha: AshaConfig = field(default_factory=AshaConfig)

    def __post_init__(self) -> None:
        for key, most in (("trials", MOST_TRIALS), ("seeds", 1000), ("concurrency", MOST_AT_ONCE)):
            if not 1 <= getattr(self, key) <= most:
                raise UserError(f"is {getattr(self, key)}", where=key, expected=f"1 to {most}")
        if not self.space:
            raise UserError("nothing is varied", where="space", expected="a key of the experiment with values, or a range")
        if len(self.cell) not in (0, 2):
            raise UserError(f"is {self.cell}", where="cell", expected="[responder, rewriter]")
        for name, axis in self.space.items():
            _check_axis(f"space.{name}", axis, self.method)


def _check_axis(where: str, axis: AxisConfig, method: Method) -> None:
    if sum((bool(axis.values), bool(axis.choices), axis.is_range)) != 1:
        raise UserError("is none or several of them", where=where, expected="values, or choices, or low and high")
    if not axis.is_range:
        return
    if method is Method.grid:
        raise UserError("a grid has no ranges", where=where, expected="values or choices, or method: random")
    if axis.low is None or axis.high is None or not (math.isfinite(axis.low) and math.isfinite(axis.high) and axis.low < axis.high):
        raise UserError(f"from {axis.low} to {axis.high}", where=where, expected="low below high")
    if axis.scale is Scale.log and axis.low <= 0:
        raise UserError(f"begins at {axis.low}", where=where, expected="a low end above 0 with scale: log")
    if axis.whole and math.ceil(axis.low) > math.floor(axis.high):
        raise UserError(f"from {axis.low} to {axis.high} there is no whole number", where=where)
