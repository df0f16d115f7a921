"""Shared by the tests of `rl-align sweep`: a sweep of stand-ins for runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT
from launching import PATIENCE_S, STAND_IN

from rl_align.launch import record
from rl_align.sweep.planned import Planned
from rl_align.sweep.run import sweep

#: What a sweep leaves for people and programs; the plot's name follows from what was measured.
WRITTEN = ("sweep.json", "sweep.md", "sweep.csv", "trials.csv", "effects.csv", "sweep.html", "parallel-held.svg")


class Bench:
    """A sweep of stand-ins.

    Args:
        root: Folder for its files.
        text: More of its YAML file.
        steps: Of a trial.
    """

    def __init__(self, root: Path, text: str, steps: int = 3):
        root.mkdir(exist_ok=True)
        self.root = root / "out"
        (root / "run.yaml").write_text(f"steps: {steps}\nsave_every: 1\nstep_s: 0.01\n")
        self.config = root / "sweep.yaml"
        self.config.write_text(f"experiment: run.yaml\nfolder: {self.root}\nstage: train\n{text}")
        self.job = [f"job.command={json.dumps(STAND_IN)}", "job.env=[PYTHONPATH]"]
        self.lines: list[str] = []

    def planned(self, *overrides: str) -> Planned:
        return Planned.make(self.config, [*self.job, *overrides])

    def run(self, *overrides: str, **more) -> int:
        """In this process."""
        self.lines.clear()
        return sweep([self.config], [*self.job, *overrides], console=self.lines.append, **more)

    def start(self, *overrides: str) -> subprocess.Popen:
        """As a command, in a process group of its own."""
        command = [sys.executable, "-m", "rl_align.cli", "sweep", str(self.config), *self.job, *overrides]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with open(self.root.parent / "sweep.log", "ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    def kill_when(self, process: subprocess.Popen, moment: Callable[[], object]) -> None:
        """`kill -9` of the command and all that it has started."""
        until(moment, lambda: (self.root.parent / "sweep.log").read_text()[-2000:])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def folder(self, number: int) -> Path:
        planned = self.planned()
        return planned.folder(planned.trials[number - 1])

    def attempts(self) -> list[int]:
        """How often each trial was begun."""
        planned = self.planned()
        return [len(record.attempts(planned.folder(trial))) for trial in planned.trials]

    def done(self) -> int:
        return len(list(self.root.glob("trials/*/done.json")))

    def result(self) -> dict:
        return json.loads((self.root / "sweep.json").read_text())

    def files(self) -> dict[str, bytes]:
        return {name: (self.root / name).read_bytes() for name in WRITTEN}


def until(moment: Callable[[], object], said: Callable[[], str] = str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not moment():
        assert time.monotonic() < deadline, f"the moment did not come: {said()}"
        time.sleep(0.01)
