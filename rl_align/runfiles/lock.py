"""One engine run per machine: two verl jobs would share socket paths and starve each other.

The lock is an abstract Unix socket, bound for as long as the process lives. The kernel releases it when the process
dies, however it dies; there is no file to go stale. Whoever finds it taken connects and is told who holds it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rl_align.errors import EngineBusy, UserError

#: The leading NUL makes it abstract: a name in the kernel, not in the file system.
ADDRESS = "\0rl_align.engine"
#: Held by the process that writes records and checkpoints. It may outlive a killed command for a moment.
WORKER = "\0rl_align.engine.worker"


@contextmanager
def engine_lock(run: str, address: str = ADDRESS) -> Iterator[None]:
    """Hold this machine's engine while the body runs.

    Args:
        run: What the holder is called in other people's error message, for example the run folder.
        address: Name of the lock.

    Raises:
        EngineBusy: Another process (or this one) holds it; the message names its process id and its run.
        UserError: The machine has no abstract sockets (anything but Linux).
    """
    if not sys.platform.startswith("linux"):
        raise UserError("the engine lock needs Linux", where=sys.platform)
    with _bind(address) as server:
        about = json.dumps({"pid": os.getpid(), "run": run, "since": time.strftime("%Y-%m-%d %H:%M:%S")})
        threading.Thread(target=_answer, args=(server, about.encode()), name="engine-lock", daemon=True).start()
        try:
            yield
        finally:
            # A thread blocked in accept() keeps the socket alive through close(); shutdown() wakes it.
            server.shutdown(socket.SHUT_RDWR)


def wait_for_workers(patience_s: float = 60.0) -> None:
    """Waits until a killed command's worker has ended.

    Raises:
        EngineBusy: It has not after `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while (found := holder(WORKER)) is not None:
        if time.monotonic() > deadline:
            raise _busy(found)
        time.sleep(0.1)


def holder(address: str = ADDRESS, timeout_s: float = 1.0) -> dict[str, object] | None:
    """Who holds the lock: {"pid", "run", "since"}, as far as it answers. None when it is free."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        try:
            client.connect(address)
        except ConnectionRefusedError:
            return None
        except (TimeoutError, BlockingIOError):
            return {}
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", credentials)[0]
        try:
            return {**json.loads(client.makefile("rb").read(65536)), "pid": pid}
        except (OSError, ValueError, TypeError):
            return {"pid": pid}


def _bind(address: str, patience_s: float = 0.5) -> socket.socket:
    """A listening socket. A holder found dying, or not yet listening, is given a moment."""
    deadline = time.monotonic() + patience_s
    while True:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind(address)
            server.listen(64)
            return server
        except OSError as error:
            server.close()
            if error.errno != errno.EADDRINUSE:
                raise
        found = holder(address)
        if found is not None or time.monotonic() > deadline:
            raise _busy(found or {})
        time.sleep(0.05)


def _busy(found: dict[str, object]) -> EngineBusy:
    who = f"process {found['pid']}" if "pid" in found else "another process"
    run = f" ({found['run']}, since {found.get('since', 'unknown')})" if "run" in found else ""
    return EngineBusy(
        f"the engine of this machine is held by {who}{run}",
        expected="one engine run at a time",
        fix="wait until it ends, or end it, and run the same command again",
    )


def _answer(server: socket.socket, about: bytes) -> None:
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        with peer:
            try:
                peer.sendall(about)
            except OSError:
                continue
