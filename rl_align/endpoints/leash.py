"""Runs a command whose whole process tree dies with the process that started it, however that one dies.

    python leash.py FD SCRATCH COMMAND …

FD is the reading end of a pipe that the starter holds open. When it closes (the starter let go, ended, or was killed), every
process of the command's session is killed and the folder SCRATCH removed. vLLM starts processes of its own, which would live
on if only their parent were killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def hold(command: list[str], pipe: int, scratch: str) -> int:
    """Runs `command` until it ends or `pipe` closes.

    Args:
        command: Program and arguments.
        pipe: Descriptor to watch; nothing is ever read from it but its end.
        scratch: Folder for temporary files of the command; removed at the end.

    Returns:
        The command's exit code, negative for a signal.
    """
    # Only the pipe decides: a signal meant for the starter's terminal group must not leave the tree alone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    env = {**os.environ, "TMPDIR": scratch}
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=prepare, env=env, stdin=subprocess.DEVNULL)
    poll = select.poll()
    poll.register(pipe, select.POLLHUP)
    ended = os.pidfd_open(child.pid)
    poll.register(ended, select.POLLIN)
    poll.poll()
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    code = child.wait()
    shutil.rmtree(scratch, ignore_errors=True)
    return code


if __name__ == "__main__":
    code = hold(sys.argv[3:], int(sys.argv[1]), sys.argv[2])
    print(f"ended with exit code {code}", flush=True)
    sys.exit(0 if code == 0 else 1)
