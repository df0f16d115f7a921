"""Shared by the tests of `rl-align launch`: the stand-in for a run, and a job of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from conftest import ROOT, lines

from rl_align.cli import main
from rl_align.runfiles.ledger import Ledger

STAND_IN = [sys.executable, str(ROOT / "tests" / "stand_in.py")]
#: Where nothing else says so, a moment that does not come in this time will not come.
PATIENCE_S = 60.0


@dataclass
class Job:
    """A stand-in's run folder, and the commands that launch it and ask after it.

    Args:
        root: Folder for configuration and run.
        target: local, ray or slurm.
        settings: `key=value` for every launch.
    """

    root: Path
    target: str
    settings: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.folder = self.root / "run folder"
        self.config = self.root / "a config.yaml"
        self.config.write_text("steps: 6\n")

    def arguments(self, *settings: str) -> list[str]:
        own = [f"folder={json.dumps(str(self.folder))}", f"job.folder={self.folder}", f"job.command={json.dumps(STAND_IN)}"]
        return ["launch", self.target, str(self.config), *own, "job.env=[PYTHONPATH]", *self.settings, *settings]

    def start(self, *arguments: str) -> subprocess.Popen:
        """`rl-align` with these arguments, in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
        command = [sys.executable, "-m", "rl_align.cli", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def launch(self, *settings: str) -> subprocess.CompletedProcess[str]:
        done = self.run(*self.arguments(*settings))
        assert done.returncode == 0, done.stderr
        return done

    def ask(self, action: str, *options: str) -> str:
        done = self.run("launch", action, str(self.folder), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def hear(self, action: str, *options: str) -> str:
        """As `ask`, in this process."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert main(["launch", action, str(self.folder), *options]) == 0
        return said.getvalue()

    @property
    def id(self) -> str:
        return json.loads((self.folder / "job.json").read_text())["id"]

    def steps(self) -> int:
        return len(Ledger(self.folder / "ledger.jsonl").clean("train"))

    def attempt(self, number: int) -> Path:
        return self.folder / "logs" / f"attempt-{number}"

    def printed(self, number: int) -> str:
        """What an attempt's command has printed so far."""
        path = self.attempt(number) / "command.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def result(self, number: int) -> dict | None:
        path = self.attempt(number) / "result.json"
        return json.loads(path.read_text()) if path.exists() else None

    def until(self, moment: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not moment():
            assert time.monotonic() < deadline, f"the moment did not come: {self.everything()}"
            time.sleep(0.05)

    def everything(self) -> str:
        """All logs, for a test that fails."""
        logs = sorted((self.folder / "logs").rglob("*.log"))
        return "\n".join(f"== {log}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def assert_as_if_never_stopped(self, root: Path, steps: int, redone: int = 0) -> None:
        """The result is that of an uninterrupted run in this process's own hands, and so many steps were taken twice at most."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*STAND_IN, str(self.config), f"folder={json.dumps(str(root))}", f"steps={steps}", "step_s=0"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        assert states(self.folder) == states(root)
        summaries = [json.loads((folder / "summary.json").read_text()) for folder in (self.folder, root)]
        assert summaries[0] == summaries[1]
        ledger = Ledger(self.folder / "ledger.jsonl")
        assert sorted(ledger.clean("train")) == list(range(1, steps + 1))
        assert sum(entry.redone for entry in ledger.entries("train")) <= redone


def states(folder: Path) -> dict[int, str]:
    """Step → what a stand-in computed in it, the last time that it took it."""
    return {row["step"]: row["state"] for row in lines(folder / "metrics.jsonl")}
