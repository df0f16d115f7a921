"""One attempt at a command: a folder of its own with everything that it prints and how it ended. What `local` and `ray` run.

`python -m rl_align.launch.attempt FOLDER [--env NAME,…] -- COMMAND …`
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rl_align.launch import record
from rl_align.launch.secrets import missing
from rl_align.runfiles import stop

BAD_INPUT = 2
_PR_SET_PDEATHSIG = 1


def run(argv: Sequence[str], folder: Path) -> int:
    """Runs a command to its end, shows what it prints and keeps it.

    SIGTERM and SIGUSR1 are handed on to it, and it is waited for: a run finishes its step and saves it.

    Args:
        argv: The command, as words.
        folder: The job's folder.

    Returns:
        Its exit code; 128 + the signal that ended it.
    """
    attempt = record.new_attempt(folder)
    stop.forget(folder)
    begun = time.time()
    print(f"{attempt.name}: its log is {attempt / record.LOG}", flush=True)
    with open(attempt / record.LOG, "ab") as output:
        try:
            process = subprocess.Popen(argv, stdout=output, stderr=output, preexec_fn=die_with_parent)
        except OSError as error:
            record.finish(attempt, BAD_INPUT, f"cannot run {argv[0]}: {error.strerror}", begun, time.time(), socket.gethostname())
            print(f"rl-align launch: error: cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
            return BAD_INPUT
    try:
        with stop.on_signals(process.send_signal), open(attempt / record.LOG, "rb") as shown:
            while (code := _ended(process)) is None:
                _show(shown)
            _show(shown)
    except KeyboardInterrupt:  # the terminal has told the command as well
        code = process.wait()
    code = code if code >= 0 else 128 - code
    record.finish(attempt, code, reason(code), begun, time.time(), socket.gethostname())
    return code


def reason(code: int) -> str:
    """What an exit code means, in a few words."""
    if code in (0, stop.AGAIN):
        return "done" if code == 0 else "stopped, as asked"
    try:
        return f"ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return "failed"


def _ended(process: subprocess.Popen) -> int | None:
    try:
        return process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return None


def _show(file) -> None:
    sys.stdout.buffer.write(file.read())
    sys.stdout.flush()


def die_with_parent() -> None:
    """In a new process, before its program: SIGTERM for it when the process that made it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one attempt; the exit code is the command's."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    cut = arguments.index("--")
    parser = argparse.ArgumentParser(prog="rl_align.launch.attempt", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--env", default="", help="names of variables that must be set, separated by commas")
    given = parser.parse_args(arguments[:cut])
    if unset := missing(filter(None, given.env.split(",")), os.environ):
        fix = "set it where the cluster is started"
        print(f"rl-align launch: error: {', '.join(unset)} is not set on {socket.gethostname()}; {fix}", file=sys.stderr)
        return BAD_INPUT
    return run(arguments[cut + 1 :], given.folder)


if __name__ == "__main__":
    sys.exit(main())
