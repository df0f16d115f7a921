"""`rl-align sweep`: a bounded queue of trials on a target, each once; tables and plots of those that are done."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rl_align.errors import Stopped, UserError
from rl_align.launch import plan
from rl_align.runfiles import stop
from rl_align.runfiles.lock import engine_lock
from rl_align.sweep.asha import Asha
from rl_align.sweep.config import Method, Target
from rl_align.sweep.effects import Outcome
from rl_align.sweep.jobs import Job, find, start
from rl_align.sweep.planned import Planned, donors
from rl_align.sweep.read import sections
from rl_align.sweep.space import Trial
from rl_align.sweep.standing import Standing, begin, forgive, read_failure, settle, standing
from rl_align.sweep.write import NAME, write

#: Seconds between looks at the trials; those of a cluster are asked for over a network.
POLL_S = {Target.local: 0.2, Target.ray: 5.0, Target.slurm: 10.0}
#: Seconds between looks at the steps of trials.
_LOOK_S = 1.0
_UNFINISHED = (Standing.waiting, Standing.interrupted, Standing.running)


class Sweep:
    """A sweep under way.

    Args:
        planned: Its trials, checked.
        title: What its page is called.
        console: Gets the lines.
    """

    def __init__(self, planned: Planned, title: str, console: Callable[[str], None] = print):
        self.planned, self.config, self.title, self.console = planned, planned.config, title, console
        self.root = Path(self.config.folder)
        self.running: dict[str, Job] = {}
        self.by_name = {trial.name: trial for trial in planned.trials}
        self.asha = None
        if self.config.method is Method.asha:
            self.asha = Asha(self.config.asha, self.config.stage, planned.steps, self.root, planned.hashes)
        self._looked = 0.0
        self._adopted: set[str] = set()

    def run(self, retry_failed: bool = False) -> dict[str, Standing]:
        """Runs what is not done.

        Args:
            retry_failed: Run failed trials again.

        Returns:
            Trial → where it stands.

        Raises:
            UserError: A target says no.
            Stopped: It was asked to stop, and its trials here have.
        """
        due: list[Trial] = []
        for trial in self.planned.trials:
            folder = self.planned.folder(trial)
            if retry_failed:
                forgive(folder)
            if (job := find(folder)) is not None:
                self.running[trial.name] = job
                self._adopted.add(trial.name)
            elif (found := self.standing(trial)) in (Standing.waiting, Standing.interrupted):
                due.append(trial)
            elif found is Standing.done:
                self._weigh(trial)
        done = len(self.planned.trials) - len(due) - len(self.running)
        self.console(f"{len(self.planned.trials)} trials: {done} settled, {len(self.running)} running, {len(due)} to go")
        with self._asked() as asked:
            try:
                self._work(due, asked)
            except BaseException:
                for job in self.running.values():
                    job.end()
                raise
        return {trial.name: self.standing(trial) for trial in self.planned.trials}

    def standing(self, trial: Trial) -> Standing:
        """Where a trial stands."""
        if trial.name in self.running:
            return Standing.running
        found = standing(self.planned.folder(trial), self.planned.hashes[trial.name])
        stopped = self.asha is not None and self.asha.stopped_at(trial.name) is not None
        return Standing.stopped if stopped and found is not Standing.done else found

    def write(self) -> str:
        """Writes tables and plots of what there is; returns the tables."""
        return write(self.root, self.title, self.config, [self._outcome(trial) for trial in self.planned.trials])

    def _work(self, due: list[Trial], asked: list[str]) -> None:
        told = False
        while due or self.running:
            if not asked and stop.requested(self.root):
                asked.append("asked by a file")
            if asked and not told:
                told = True
                for job in self.running.values():
                    job.hand_on()
            if asked and not any(job.process for job in self.running.values()):
                break
            while due and not asked and len(self.running) < self.config.concurrency:
                self._start(due.pop(0))
            for name, job in list(self.running.items()):
                if job.ended():
                    self._settle(self.by_name[name], job, due)
            self._look()
            if self.running or due:
                time.sleep(POLL_S[self.config.target])
        if asked and any(self.standing(trial) in _UNFINISHED for trial in self.planned.trials):
            stop.forget(self.root)
            self.write()
            more = f"; {len(self.running)} jobs go on by themselves" if self.running else ""
            raise Stopped(f"the sweep stopped, as asked{more}", fix="the same command continues")

    def _start(self, trial: Trial) -> None:
        if self.config.target is Target.local and self.planned.configs:
            with engine_lock(str(self.planned.folder(trial))):
                pass  # another engine run is no reason to call every trial failed
        settings = self.planned.settings(trial, donors(self.planned, trial))
        made = plan.make(self.planned.experiment, [*settings, *self.planned.job_settings(trial)], self.planned.job_path)
        begin(made.folder, self.planned.hashes[trial.name], settings)
        self.running[trial.name] = start(self.config.target, made)
        self.console(f"{self._label(trial)}: started in {self.planned.folder(trial)}")

    def _settle(self, trial: Trial, job: Job, due: list[Trial]) -> None:
        del self.running[trial.name]
        settle(job.folder, job.code(), job.said)
        found = self.standing(trial)
        if found is Standing.done:
            self._weigh(trial)
        if found in _UNFINISHED and trial.name in self._adopted:  # the sweep that it ran under was ended, and it with that
            self._adopted.remove(trial.name)
            due.insert(0, trial)
        cause = f": {(read_failure(job.folder) or {}).get('cause')}" if found is Standing.failed else ""
        self.console(f"{self._label(trial)}: {found.value}{cause}")
        self.write()

    def _look(self) -> None:
        """Tells successive halving what running trials have reached, and asks those that fall behind to stop."""
        if self.asha is None or time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        for name, job in self.running.items():
            if self._weigh(self.by_name[name]) and not stop.requested(job.folder):
                job.ask_to_stop(f"it is behind after {self.asha.stopped_at(name)} steps")

    def _weigh(self, trial: Trial) -> bool:
        """Whether a trial falls behind; one that has ended counts for those that have not."""
        if self.asha is None:
            return False
        done = self.standing(trial) is Standing.done
        return self.asha.falls_behind(trial.name, trial.seed, self.planned.folder(trial), done)

    def _outcome(self, trial: Trial) -> Outcome:
        folder, found = self.planned.folder(trial), self.standing(trial)
        known = sections(folder, self.config) if found is Standing.done else {}
        note = ""
        if found is Standing.failed:
            note = str((read_failure(folder) or {}).get("cause", ""))
        if self.asha is not None:
            metric, first = self.asha.config.metric, self.asha.rungs[0]
            reached = {rung: value for rung, value in self.asha.reached(trial.name).items() if value is not None}
            if first in reached:
                known = {**known, f"all trials after {first} steps": {metric: reached[first]}}
            if found is Standing.stopped and (at := self.asha.stopped_at(trial.name)) in reached:
                note = f"{metric} {reached[at]:.4g} after {at} steps"
        return Outcome(trial, found, known, note)

    def _label(self, trial: Trial) -> str:
        return f"[{trial.number}/{len(self.planned.trials)}: {trial}, seed {trial.seed}]"

    @contextmanager
    def _asked(self) -> Iterator[list[str]]:
        """Signals that ask this sweep to stop are noted while the body runs."""
        stop.forget(self.root)
        asked: list[str] = []
        with stop.on_signals(lambda number: asked.append(f"signal {number}")):
            yield asked


def sweep(
    paths: Sequence[str | Path],
    overrides: Sequence[str] = (),
    job_path: str | None = None,
    *,
    dry_run: bool = False,
    retry_failed: bool = False,
    console: Callable[[str], None] = print,
) -> int:
    """Runs sweeps one after the other, or continues them.

    Args:
        paths: Their YAML files.
        overrides: `key=value` of the sweeps; those that begin with `job.` describe the jobs.
        job_path: YAML file of the jobs' description, as for `rl-align launch`.
        dry_run: Print trials and what they cost, and start nothing.
        retry_failed: Run failed trials again.
        console: Gets the lines.

    Returns:
        0, or 1 when a trial failed or was interrupted; the tables then cover the others.

    Raises:
        UserError: A setting of the sweep or of a trial that cannot work, or a target that says no.
        Stopped: It was asked to stop.
    """
    everything = [Planned.make(path, overrides, job_path) for path in paths]  # all of them, before hours are spent on the first
    folders = [Path(planned.config.folder).resolve() for planned in everything]
    if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise UserError("two sweeps would share it", where=f"folder {twice}", expected="a folder for each")
    if dry_run:
        for planned in everything:
            console("\n".join(planned.explained()))
        return 0
    codes = []
    for path, planned in zip(paths, everything, strict=True):
        root = Path(planned.config.folder)
        with engine_lock(str(root), _address(root)):
            work = Sweep(planned, Path(path).stem, console)
            found = work.run(retry_failed)
            text = work.write()
        console(f"{text}\nwritten to {root / NAME}.html, .md, .csv and .json")
        failed, again = (sum(s in states for s in found.values()) for states in ((Standing.failed,), _UNFINISHED))
        if failed or again:
            console(f"{failed} failed (--retry-failed runs them again), {again} interrupted (the same command continues)")
        codes.append(1 if failed or again else 0)
    return max(codes)


def _address(root: Path) -> str:
    """Of the lock of a sweep's folder: two commands would run its trials twice."""
    return "\0rl_align.sweep." + hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
