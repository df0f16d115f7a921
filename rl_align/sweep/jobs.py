"""One trial as a job of a target of `rl-align launch`: started, found again after the sweep was killed, asked to stop, ended."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rl_align.errors import UserError
from rl_align.launch import commands, local, plan, record, slurm
from rl_align.runfiles import stop
from rl_align.sweep.config import Target
from rl_align.sweep.standing import last_code

#: So often in a row SLURM must not know a job that was there, until it is taken to have ended.
_BELIEVED = 6


@dataclass
class Job:
    """A trial that was handed to a target.

    Attributes:
        folder: Its run folder.
        submitted: What was noted of the job.
        attempts: Attempts that there were before.
        process: Its process, where it is one of this sweep's.
        said: What the target said of it last.
        unknown: How often in a row SLURM did not know it: it forgets what has ended, but also does not answer now and then.
    """

    folder: Path
    submitted: record.Submitted
    attempts: int
    process: subprocess.Popen | None = None
    said: str = ""
    unknown: int = 0

    def ended(self) -> bool:
        """Whether it has ended. Raises UserError when the target cannot be asked."""
        if self.process is not None:
            return self.process.poll() is not None
        self.said = commands.state(self.submitted)
        if self.said != slurm.UNKNOWN:
            self.unknown = 0
            return commands.is_over(self.said, self.submitted.target)
        self.unknown += 1
        return self.unknown >= _BELIEVED or self.code() is not None

    def code(self) -> int | None:
        """Exit code of an ended one; None when its attempt did not say so, or did not come about."""
        if self.process is not None:
            return self.process.returncode
        return last_code(self.folder) if len(record.attempts(self.folder)) > self.attempts else None

    def ask_to_stop(self, why: str) -> None:
        """It finishes its step, saves it, and ends; between stages it ends before the next."""
        stop.request(self.folder, why)

    def hand_on(self) -> None:
        """The same for a process of this sweep's, which may not have come so far that it looks for requests."""
        if self.process is not None:
            self.process.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        """Ends a process of this sweep's at once."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(target: Target, made: plan.Plan) -> Job:
    """Hands a trial to a target. Raises UserError when the target says no."""
    attempts = len(record.attempts(made.folder))
    if target is Target.local:
        process, submitted = local.start(made)
        return Job(made.folder, submitted, attempts, process)
    return Job(made.folder, commands.submit(target.value, made), attempts)


def find(folder: Path) -> Job | None:
    """A trial's job of an earlier sweep that has not ended; None when there is none."""
    submitted = record.read(folder)
    if submitted is None:
        return None
    job = Job(folder, submitted, len(record.attempts(folder)) - 1, unknown=_BELIEVED)
    try:
        return None if job.ended() else job
    except UserError:
        if submitted.target == "ray":  # its cluster is gone, and the job with it
            return None
        raise
