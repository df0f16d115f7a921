"""One engine run per machine, and no lock that outlives its process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from rl_align.errors import EngineBusy, UserError
from rl_align.runfiles.lock import ADDRESS, engine_lock, holder

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract Unix sockets need Linux")

HOLDER = """
import subprocess, sys, time
from rl_align.runfiles.lock import engine_lock
with engine_lock("runs/other", sys.argv[1]):
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(30)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(30)
"""


@pytest.fixture
def address() -> str:
    return f"\0rl_align.test.{os.getpid()}.{time.monotonic_ns()}"


def _hold(address: str) -> tuple[subprocess.Popen, int]:
    # A NUL cannot stand in an argument, so the child gets the name by its expression.
    script = HOLDER.replace("sys.argv[1]", repr(address))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_a_second_run_is_refused_and_told_who_holds_it(address):
    process, child = _hold(address)
    try:
        with pytest.raises(EngineBusy) as caught, engine_lock("runs/mine", address):
            pass
        message = str(caught.value)
        assert f"process {process.pid}" in message and "runs/other" in message and "\n" not in message
        assert isinstance(caught.value, UserError)
        assert holder(address)["pid"] == process.pid
    finally:
        process.kill()
        process.communicate()
        os.kill(child, signal.SIGKILL)


def test_kill_9_releases_it_at_once_though_children_live_on(address):
    process, child = _hold(address)
    try:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        os.kill(child, 0)
        with engine_lock("runs/mine", address):
            assert holder(address) == {**holder(address), "pid": os.getpid(), "run": "runs/mine"}
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_stopped_holder_is_still_named(address):
    process, child = _hold(address)
    try:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(EngineBusy, match=f"process {process.pid}"), engine_lock("runs/mine", address):
            pass
    finally:
        process.kill()
        process.communicate()
        os.kill(child, signal.SIGKILL)


def test_it_is_free_again_after_use_and_after_an_error(address):
    for _ in range(3):
        with engine_lock("a", address):
            with pytest.raises(EngineBusy), engine_lock("b", address):
                pass
        assert holder(address) is None
    with pytest.raises(RuntimeError), engine_lock("a", address):
        raise RuntimeError("stop")
    with engine_lock("a", address):
        pass


def test_a_holder_that_talks_nonsense_does_not_hang_or_break_the_message(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(address)
        server.listen()
        start = time.monotonic()
        with pytest.raises(EngineBusy, match=f"process {os.getpid()}"), engine_lock("a", address):
            pass
        assert time.monotonic() - start < 3


def test_the_name_is_one_for_the_machine_and_leaves_no_file():
    assert ADDRESS == "\0rl_align.engine"
