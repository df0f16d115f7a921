"""A process of a check: it ends with the block, and with this process."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Child:
    """Runs a command in the checkout while the block does; its output is appended to a log.

    Args:
        command: The command.
        log: File for its output.
        grace_s: Seconds between being asked to end and being killed, with all of its process group.
    """

    def __init__(self, command: Sequence[str], log: Path, grace_s: float):
        self._command, self._log, self._grace_s = list(command), log, grace_s

    def __enter__(self) -> subprocess.Popen[bytes]:
        with open(self._log, "ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._grace_s)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def last_line(log: Path) -> str:
    """The end of a log in one line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.is_file() else []
    return lines[-1] if lines else "no output"


def _end_with_parent() -> None:
    """A check that is killed must not leave a training process on the GPU."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
