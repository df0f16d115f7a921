"""Successive halving by Ray Tune's ASHA scheduler, which decides; trials are run by the sweep, on any target. No Ray is started.

The scheduler is told what a trial has reached at every rung (`grace`, `grace · reduction`, … steps) and says whether it goes on.
What it was told is in a journal, from which a sweep that was killed tells it again: its decisions stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from rl_align.errors import UserError
from rl_align.launch import record
from rl_align.pipeline.stages import RECORDS
from rl_align.report.curves import by_stage, points
from rl_align.report.figure import WINDOW
from rl_align.runfiles.atomic import append_line, read_lines
from rl_align.sweep.config import AshaConfig

#: In the sweep's folder.
JOURNAL = "asha.jsonl"
_TIME = "training_iteration"


class Asha:
    """Which trials fall behind.

    Args:
        config: Its settings.
        stage: Training stage whose steps count.
        steps: Steps of a whole trial.
        folder: The sweep's.
        hashes: Trial → hash of what it is made with: what it reached with other settings does not count.

    Raises:
        UserError: `grace` leaves nothing to stop, or the journal is damaged.
    """

    def __init__(self, config: AshaConfig, stage: str, steps: int, folder: Path, hashes: Mapping[str, str]):
        if config.grace >= steps:
            raise UserError(f"is {config.grace} of {steps} steps", where="asha.grace", expected=f"fewer than {steps}")
        self.config, self.stage, self.steps, self.journal, self.hashes = config, stage, steps, folder / JOURNAL, hashes
        self._schedulers: dict[int, Any] = {}
        self._told: dict[str, dict[int, float | None]] = {}
        self._stopped: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        for line in read_lines(self.journal):
            if hashes.get(line["trial"]) != line["hash"]:
                continue
            self._tell(line["trial"], line["seed"], line["rung"], line["value"])
            if line["stop"]:
                self._stopped[line["trial"]] = line["rung"]

    @property
    def rungs(self) -> list[int]:
        """Steps at which trials are compared, the first one first. The last step is none: what is done need not be stopped."""
        found, k = [], 0
        while (rung := math.ceil(self.config.grace * self.config.reduction**k - 1e-9)) < self.steps:
            found.append(rung)
            k += 1
        return found

    def stopped_at(self, trial: str) -> int | None:
        """The rung at which a trial was stopped."""
        return self._stopped.get(trial)

    def reached(self, trial: str) -> dict[int, float | None]:
        """Rung → what the trial had reached there; None where its log does not say."""
        return dict(self._told.get(trial, {}))

    def falls_behind(self, trial: str, seed: int, run: Path, done: bool = False) -> bool:
        """Reads what a trial has logged, and says whether it is to be stopped.

        Args:
            trial: Its name.
            seed: Its seed.
            run: Its run folder.
            done: It is done. Of one that is not, nothing is read before the stage has begun in this job: what stands there may be
                of other settings, which the stage moves aside.
        """
        log = run / "metrics.jsonl"
        if not (done or _newer(run / RECORDS / f"{self.stage}.begun.json", run / record.JOB)):
            return trial in self._stopped
        size = log.stat().st_size if log.is_file() else 0
        if trial in self._stopped or self._sizes.get(trial) == size:
            return trial in self._stopped
        self._sizes[trial] = size
        steps = by_stage(list(read_lines(log))).get(self.stage, [])
        known = points(steps, self.config.metric)
        last = steps[-1]["step"] if steps else 0
        for rung in self.rungs:
            if rung > last or rung in self._told.get(trial, {}) or trial in self._stopped:
                continue
            value = at_step(known, rung)
            behind = self._tell(trial, seed, rung, value)
            known_by = {"trial": trial, "hash": self.hashes[trial], "seed": seed}
            append_line(self.journal, {**known_by, "rung": rung, "value": value, "stop": behind})
            if behind:
                self._stopped[trial] = rung
        return trial in self._stopped

    def _tell(self, trial: str, seed: int, rung: int, value: float | None) -> bool:
        first = trial not in self._told
        self._told.setdefault(trial, {})[rung] = value
        scheduler = self._schedulers.get(seed) or self._schedulers.setdefault(seed, _scheduler(self.config, self.steps))
        who = SimpleNamespace(trial_id=trial)
        if first:
            scheduler.on_trial_add(None, who)
        if value is None:
            return False
        return scheduler.on_trial_result(None, who, {_TIME: rung, self.config.metric: value}) == "STOP"


def at_step(known: Sequence[tuple[float, float]], step: int) -> float | None:
    """A metric at a step: the mean of the last `WINDOW` steps up to it. None when it has no value in them."""
    values = [value for at, value in known if step - WINDOW < at <= step]
    return fmean(values) if values else None


def _newer(path: Path, than: Path) -> bool:
    try:
        return path.stat().st_mtime >= than.stat().st_mtime
    except OSError:
        return False


def _scheduler(config: AshaConfig, steps: int) -> Any:
    """Ray's own. It decides once at a rung; a trial that reaches its last step is left to be measured."""
    try:
        from ray.tune.schedulers import ASHAScheduler
    except ImportError as error:
        what = f"Ray Tune cannot be imported ({error})"
        raise UserError(what, where="method: asha", fix="pip install 'ray[tune]', or method: random") from error
    return ASHAScheduler(
        time_attr=_TIME,
        metric=config.metric,
        mode=config.mode,
        max_t=steps,
        grace_period=config.grace,
        reduction_factor=config.reduction,
        stop_last_trials=False,
    )
