"""A sweep's file read, and every trial of it checked before the first one starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rl_align.config import config_hash, load_config
from rl_align.errors import UserError
from rl_align.launch.config import PREFIX, load_job
from rl_align.pipeline.stages import RECORDS, seconds
from rl_align.sweep.config import Method, SweepConfig, Target
from rl_align.sweep.space import Trial, trials, written

#: In the sweep's folder.
TRIALS = "trials"
#: Other trials that a trial looks into for finished stages.
MOST_DONORS = 64


@dataclass(frozen=True)
class Planned:
    """A sweep, ready to be run.

    Attributes:
        config: Its settings.
        experiment: The experiment's file.
        job: `job.key=value` settings.
        job_path: YAML file of the jobs' description.
        trials: In the order in which they start.
        hashes: Trial → hash of all that it is made with, but for where it lies and where it may take stages over from.
        steps: Steps of the training stage, where successive halving needs them.
        configs: Trial → resolved configuration; empty where another command than `rl-align run` is run.
    """

    config: SweepConfig
    experiment: Path
    job: tuple[str, ...]
    job_path: str | None
    trials: tuple[Trial, ...]
    hashes: dict[str, str]
    steps: int
    configs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, path: str | Path, overrides: Sequence[str] = (), job_path: str | None = None) -> Planned:
        """Reads a sweep and checks its trials.

        Raises:
            UserError: A setting of the sweep, of the jobs or of a trial that cannot work.
        """
        own = [text for text in overrides if not text.startswith(PREFIX)]
        job = tuple(text for text in overrides if text.startswith(PREFIX))
        config = load_config(SweepConfig, path, own)
        experiment = Path(path).parent / config.experiment
        if not experiment.is_file():
            raise UserError("no such file", where=f"{path}: experiment: {config.experiment}", expected="a YAML file")
        command = load_job(job_path, job)[0].command
        found = tuple(trials(config))
        begun = cls(config, experiment, job, job_path, found, {}, config.asha.steps)
        if command:
            return begun._of_a_command(command)
        return begun._of_runs()

    def folder(self, trial: Trial) -> Path:
        """A trial's run folder."""
        return Path(self.config.folder) / TRIALS / trial.name

    def settings(self, trial: Trial, reuse: Sequence[str] = ()) -> list[str]:
        """`key=value` of a trial, folder and seed among them."""
        own = [f"seed={trial.seed}", f"folder={written(str(self.folder(trial)))}"]
        return [*self.config.settings, *trial.settings, *own, *([f"reuse={written(list(reuse))}"] if reuse else [])]

    def job_settings(self, trial: Trial) -> list[str]:
        """`job.key=value` of a trial: its records go into its run folder."""
        return [*self.job, f"{PREFIX}folder={written(str(self.folder(trial)))}"]

    def explained(self) -> Iterator[str]:
        """The trials with their settings and what they cost, for a person."""
        c = self.config
        where = f"in {c.folder}, {c.concurrency} at once, {c.target.value}"
        yield f"{c.method.value} over {', '.join(c.space)}: {len(self.trials)} trials {where}"
        costs = self._costs()
        for trial in self.trials:
            cost = f"  # {seconds(costs[trial.name])}" if costs else ""
            yield f"{trial.number:>4}  {trial.name}  seed {trial.seed}  {' '.join(trial.settings)}{cost}"
        if costs:
            total, shared = sum(costs.values()), "; stages that trials share are counted once" if c.share else ""
            at_once = f"{_hours(total / c.concurrency)} with {c.concurrency} at once"
            yield f"# {_hours(total)} of runs, at most, by an estimate of order; {at_once}{shared}"
        else:
            yield "# cost: unknown, because the model is not there yet or another command is run"
        if c.method is Method.asha:
            yield f"# successive halving by {c.asha.metric} stops what falls behind, from step {c.asha.grace} of {self.steps} on"

    def _costs(self) -> dict[str, float] | None:
        from rl_align.sweep.cost import estimate

        return estimate(self.configs, self.config.share) if self.configs else None

    def _of_runs(self) -> Planned:
        from rl_align.pipeline.config import RunConfig, resolve
        from rl_align.pipeline.estimate import plan

        if self.config.target is Target.local and self.config.concurrency > 1:
            what = f"is {self.config.concurrency}, and this machine runs one engine at a time"
            raise UserError(what, where="concurrency", expected="1 with target: local")
        configs, hashes = {}, {}
        for trial in self.trials:
            with _named(trial):
                loaded = load_config(RunConfig, self.experiment, self.settings(trial))
                hashes[trial.name] = config_hash(replace(loaded, folder="", reuse=[]))
                configs[trial.name] = resolve(loaded)
        steps = self.steps
        if self.config.method is Method.asha and not steps:
            of = {stage.name: stage.settings.steps for stage in plan(next(iter(configs.values())))}
            if self.config.stage not in of:
                raise UserError(f"there is no stage {self.config.stage!r}", where="stage", expected=f"one of {', '.join(of)}")
            steps = of[self.config.stage]
        return replace(self, configs=configs, hashes=hashes, steps=steps)

    def _of_a_command(self, command: Sequence[str]) -> Planned:
        if self.config.method is Method.asha and not self.steps:
            raise UserError("no value", where="asha.steps", expected="the steps of a trial, as job.command is not `rl-align run`")
        text = self.experiment.read_text(encoding="utf-8")
        given = {t.name: [*self.config.settings, *t.settings, f"seed={t.seed}"] for t in self.trials}
        return replace(self, hashes={name: config_hash([list(command), text, own]) for name, own in given.items()})


def donors(planned: Planned, trial: Trial) -> list[str]:
    """Run folders that a trial may take stages over from: begun trials of its seed, the nearest first, and the named ones."""
    named = [path.replace("{seed}", str(trial.seed)) for path in planned.config.reuse]
    if not planned.config.share:
        return named
    others = [other for other in planned.trials if other.seed == trial.seed and other.name != trial.name]
    begun = [other for other in others if (planned.folder(other) / RECORDS).is_dir()]
    nearest = sorted(begun, key=lambda other: abs(other.number - trial.number))[:MOST_DONORS]
    return [*(str(planned.folder(other)) for other in nearest), *named]


@contextmanager
def _named(trial: Trial) -> Iterator[None]:
    """Errors of the body say which trial they are about."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error), where=f"trial {trial.number} ({trial})") from error


def _hours(value: float) -> str:
    return seconds(value) if value < 5400 else f"{value / 3600:.1f} h"
