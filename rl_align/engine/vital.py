"""Processes that a GRPO run cannot do without: Ray's own on this machine, and the actors that verl made.

A call to a dead actor fails at once, and verl says so. But some are only waited for: whoever polls the store of rollouts would poll
for ever, and without its head Ray ends this process after a minute, without a word of ours.
"""

from __future__ import annotations

import time
from typing import Any

#: Ray's processes of a local cluster that nothing works without.
OF_RAY = ("gcs_server", "raylet")
#: Ways in which an actor ends that nobody asked for. Ray knows others: out of scope, killed on purpose.
UNASKED = ("WORKER_DIED", "NODE_DIED", "OWNER_DIED")


class Vital:
    """Looks whether one of them is gone, from the process that started them.

    Args:
        every: Seconds between two looks at actors; Ray's head is asked.
        grace: Seconds between the death of an actor and its being told: until then verl may say it better.
    """

    def __init__(self, every: float = 2.0, grace: float = 15.0):
        self._every, self._grace = every, grace
        self._looked = 0.0
        self._seen: float | None = None

    def head_lost(self) -> str | None:
        """Which of Ray's processes ended, of a cluster that this process started; nothing more can be asked of Ray then."""
        node = _node()
        dead = [kind for kind, _ in node.dead_processes()] if node is not None else []
        return next((f"Ray's {kind} died" for kind in OF_RAY if kind in dead), None)

    def lost(self) -> str | None:
        """What is gone, in words; None while all are there."""
        if head := self.head_lost():
            return head
        now = time.monotonic()
        if now - self._looked < self._every:
            return None
        self._looked = now
        dead = _dead_actors()
        if not dead:
            return None
        self._seen = self._seen or now
        return None if now - self._seen < self._grace else dead[0]


def _node() -> Any:
    from ray._private import worker

    return worker._global_node


def _dead_actors() -> list[str]:
    """Actors of this job that ended unasked, each in words."""
    import ray
    from ray._private import state

    job = ray.get_runtime_context().get_job_id()
    found = []
    for actor in state.actors().values():
        context = actor["DeathCause"].actor_died_error_context
        if actor["State"] != "DEAD" or actor["JobID"] != job or context.Reason.Name(context.reason) not in UNASKED:
            continue
        found.append(f"{actor['ActorClassName']} (process {actor['Pid']}) died")
    return found
