"""verl's replay buffer with fast polling, a deadline, and dynamic sampling that asks the trainer's own rule.

Not put in by `trainer.v1.sampler.custom_sampler`: with that, verl withholds the arguments of dynamic sampling. It replaces
`trainer_base.ReplayBuffer` instead (`rl_align/engine/grpo.py`), which verl looks up both to build the buffer and to decide on them.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from .groups import Rule, classify
from .rows import plain
from .watch import Watch

#: Seconds between looks at the queue; verl's 2.0 is a third of a step on a CPU.
POLL_S = 0.02


class GroupSampler(ReplayBuffer):
    """One batch of finished groups at a time.

    Class attributes are set before verl builds the buffer; it passes neither.
    """

    rule: Rule = Rule()
    deadline_s: float = 300.0
    #: Set by the trainer.
    watch: Watch = Watch({})

    def __init__(self, *args: Any, poll_interval: float = POLL_S, **kwargs: Any):
        super().__init__(*args, poll_interval=poll_interval, **kwargs)

    def sample(self, *args: Any, **kwargs: Any):
        """As verl's; raises TimeoutError after `deadline_s`, and EngineFailed when judges or the target are down."""
        self._started = time.monotonic()
        return super().sample(*args, **kwargs)

    def _wait_for_next_poll(self, partition_id: str, last_debug_time: float) -> float:
        # A dead scorer makes dynamic sampling refill for ever; a stuck weight sync makes everything wait for ever.
        if time.monotonic() - self._started > self.deadline_s:
            unscored = f"; rollouts without a reward: {self.watch.unscored}" if self.watch.unscored else ""
            raise TimeoutError(
                f"no batch of rollouts after {self.deadline_s:.0f} s (engine.step_deadline_s): "
                f"{len(self.pending_keys[partition_id])} prompts pending, {len(self.running_keys[partition_id])} running, "
                f"{len(self.failure_keys[partition_id])} failed{unscored}"
            )
        return super()._wait_for_next_poll(partition_id, last_debug_time)

    def _dapo_filtered_keys(self, partition_id: str) -> tuple[set[str], Counter]:
        """Groups without signal.

        verl's own rule compares one number over all outputs of a prompt, counts an unscored rollout as 0 and raises on a prompt
        without any; ours is the trainer's own (`groups.py`).
        """
        if partition_id == "val" or self.filter_groups_metric is None:
            return set(), Counter()
        cache = self._dapo_classification_cache[partition_id]
        terminal = self.finished_keys[partition_id] | self.failure_keys[partition_id]
        for uid in cache.keys() - terminal:
            del cache[uid]
        new = terminal - cache.keys()
        keys = [key for key in self.partitions[partition_id] if key.split("_")[0] in new]
        extras = []
        if keys:
            data = tq.kv_batch_get(keys=keys, partition_id=partition_id, select_fields=["extra_fields"])
            extras = plain(data["extra_fields"])
        cache |= classify(new, keys, extras, self.rule, self.watch)
        filtered = {uid: value for uid, value in cache.items() if value is not None}
        return set(filtered), Counter(filtered.values())
