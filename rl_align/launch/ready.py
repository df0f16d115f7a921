"""Waits until a Ray cluster has every node and every GPU that was asked for, then becomes the command that needs them.

`python -m rl_align.launch.ready --address HOST:PORT --nodes n1,n2 --gpus 8 --wait 600 -- COMMAND …`, on the head. A node announces
its name as a resource (`RESOURCE` + name), because what Ray calls a machine need not be what the scheduler calls it.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence

#: Prefix of the resource by which a node says its name; `templates/slurm.sh.j2` writes it, too.
RESOURCE = "rl_align_node_"
POLL_S = 1.0
FAILED = 1


def missing(nodes: Sequence[Mapping], names: Sequence[str], gpus: int) -> list[str]:
    """What is not there yet, by node.

    Args:
        nodes: What `ray.nodes()` says.
        names: The nodes that there should be.
        gpus: GPUs that each should have.

    Returns:
        `n2` for a node that is not there, `n1 (3 of 8 GPUs)` for one that has fewer; empty when nothing is missing.
    """
    found: dict[str, int] = {}
    for node in nodes:
        resources = node.get("Resources", {})
        if node.get("Alive"):
            found |= {name[len(RESOURCE) :]: int(resources.get("GPU", 0)) for name in resources if name.startswith(RESOURCE)}
    absent = [name for name in names if name not in found]
    return absent + [f"{name} ({found[name]} of {gpus} GPUs)" for name in names if name in found and found[name] < gpus]


def short_of(nodes: Sequence[Mapping], count: int, gpus: int) -> list[str]:
    """The same where no names are known: a cluster that was there before. Lists what there is when it is not enough."""
    living = [node for node in nodes if node.get("Alive")]
    alive = [(str(node.get("NodeManagerHostname")), int(node.get("Resources", {}).get("GPU", 0))) for node in living]
    if sum(has >= gpus for _, has in alive) >= count:
        return []
    seen = ", ".join(f"{name} ({has} GPUs)" for name, has in sorted(alive)) or "none"
    return [f"{count} nodes of {gpus} GPUs; there are {seen}"]


def main(argv: Sequence[str] | None = None) -> int:
    """Waits, then replaces this process by the command. Returns only when something is missing or the command cannot be run."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--" not in arguments:
        return _fail("no command; expected -- and the command")
    cut = arguments.index("--")
    parser = argparse.ArgumentParser(prog="rl_align.launch.ready", description=__doc__)
    parser.add_argument("--address", default=os.environ.get("RAY_ADDRESS"), help="of the cluster; by default RAY_ADDRESS")
    parser.add_argument("--nodes", default="", help="names, separated by commas")
    parser.add_argument("--count", type=int, default=0, help="number of nodes, where no names are known")
    parser.add_argument("--gpus", type=int, default=0, help="of each node")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds")
    given = parser.parse_args(arguments[:cut])
    command = arguments[cut + 1 :]
    if not given.address:
        return _fail("no address of a Ray cluster, and RAY_ADDRESS is not set")
    names = [name for name in given.nodes.split(",") if name]
    begun = time.monotonic()
    lacking = _wait(given.address, names, given.count, given.gpus, begun + given.wait)
    if lacking:
        return _fail(f"missing after {given.wait:.0f} s: {', '.join(lacking)}")
    print(f"Ray sees all nodes and GPUs after {time.monotonic() - begun:.0f} s: {', '.join(names) or given.count}", flush=True)
    os.environ["RAY_ADDRESS"] = given.address
    try:
        os.execvp(command[0], command)
    except OSError as error:
        return _fail(f"cannot run {command[0]}: {error.strerror}")


def _wait(address: str, names: Sequence[str], count: int, gpus: int, deadline: float) -> list[str]:
    """What is missing when the deadline passes; empty as soon as nothing is."""
    while not _listens(address):
        if time.monotonic() > deadline:
            return [f"Ray's head at {address}"]
        time.sleep(POLL_S)
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        while lacking := missing(ray.nodes(), names, gpus) if names else short_of(ray.nodes(), count, gpus):
            if time.monotonic() > deadline:
                return lacking
            time.sleep(POLL_S)
        return []
    finally:
        ray.shutdown()


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except OSError:
        return False


def _fail(what: str) -> int:
    print(f"rl-align launch: error: {what}", file=sys.stderr, flush=True)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
