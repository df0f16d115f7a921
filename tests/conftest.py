"""Shared helpers of the tests."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Reading the tests makes little but modules, which stay: nothing is gained by collecting garbage meanwhile.

    From then on whoever collects garbage walks what tests have made, and not all that was imported before the first of them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


class Command:
    """`rl-align run` in a process group of its own, so that a test can kill it without warning.

    Args:
        config: YAML file.
        overrides: `key=value` strings.
        log: Where its output goes.
    """

    def __init__(self, config: Path, overrides: list[str], log: Path):
        self.log = log
        command = [sys.executable, "-m", "rl_align.cli", "run", str(config), *overrides]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with open(log, "ab") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True)

    def wait(self, timeout_s: float) -> int:
        """Exit code. Kills the group when it takes longer, and raises."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill_when(self, moment: Callable[[], bool], timeout_s: float) -> bool:
        """`kill -9` as soon as `moment()` is true. False when the command ended before."""
        reached = self.reaches(moment, timeout_s)
        if reached:
            self.kill()
        return reached

    def reaches(self, moment: Callable[[], bool], timeout_s: float) -> bool:
        """Waits until `moment()` is true. False when the command ended before."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            if moment():
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"the moment did not come in {timeout_s} s: {self.tail()}")
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """`kill -9` of the command alone; what it started must end by itself."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]


def lines(path: Path) -> list[dict]:
    """The whole JSON lines of a file; none when it is missing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def run_command(tmp_path):
    """Starts commands and makes sure that none survives the test."""
    started: list[Command] = []

    def start(config: Path, overrides: list[str]) -> Command:
        command = Command(config, overrides, tmp_path / f"command-{len(started)}.log")
        started.append(command)
        return command

    yield start
    for command in started:
        if command.process.poll() is None:
            command.kill()
