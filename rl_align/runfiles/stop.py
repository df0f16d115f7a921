"""A request to stop at the next good moment: a file in the run folder, which any process on any machine can leave and read.

Training looks at it after every step, saves a checkpoint and ends; between stages the pipeline looks at it as well. The command
then ends with `AGAIN`, and the same command continues.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rl_align.errors import Stopped
from rl_align.runfiles.atomic import write_text

#: The file's name inside a run folder. `launch/templates/slurm.sh.j2` writes it, too.
REQUEST = "stop"
#: Exit code of a command that stopped because it was asked to (EX_TEMPFAIL).
AGAIN = 75
#: Signals that ask. A batch system sends them to whole groups, sometimes twice within a second.
ASKING = (signal.SIGTERM, signal.SIGUSR1)
#: A signal that comes this long after the first one is impatience.
PATIENCE_S = 3.0


def request(folder: Path, why: str) -> None:
    """Leave a request in a run folder."""
    write_text(folder / REQUEST, why + "\n")


def requested(folder: Path) -> bool:
    """Whether there is one."""
    return (folder / REQUEST).exists()


def forget(folder: Path) -> None:
    """Take a request back; one that a killed run did not live to see must not stop the next."""
    (folder / REQUEST).unlink(missing_ok=True)


def obey(folder: Path, where: str) -> None:
    """Raises Stopped when there is a request; `where` says how far the run has come."""
    if requested(folder):
        forget(folder)
        raise Stopped(f"stopped {where}, as asked", fix="the same command continues")


@contextmanager
def asked_by_signals(folder: Path) -> Iterator[None]:
    """While the body runs, SIGTERM and SIGUSR1 leave a request instead of ending this process; impatience still ends it."""
    first: float | None = None

    def ask(number: int) -> None:
        nonlocal first
        now = time.monotonic()
        first = now if first is None else first
        if now - first > PATIENCE_S:
            raise SystemExit(128 + number)
        request(folder, signal.Signals(number).name)

    with on_signals(ask):
        yield


@contextmanager
def on_signals(act: Callable[[int], object]) -> Iterator[None]:
    """While the body runs, SIGTERM and SIGUSR1 call `act` with their number. Outside the main thread, which gets them, it does
    nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda number, frame: act(number)) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
