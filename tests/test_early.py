"""Actors that are made before their class is known to whoever made them."""

from __future__ import annotations

import sys

import pytest

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.engine


class Counter:
    """What is loaded in the actor's process."""

    def __init__(self, start: int):
        if start < 0:
            raise ValueError("start below 0")
        self.value = start

    def add(self, n: int) -> int:
        self.value += n
        return self.value

    async def later(self, n: int) -> int:
        return self.value + n

    async def count(self, n: int):
        for _ in range(n):
            yield self.add(1)


def load() -> type:
    return Counter


def prepare() -> None:
    Counter.prepared = True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    from rl_align.engine import env
    from rl_align.engine.config import EngineConfig

    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.variables(EngineConfig()).items():
            patch.setenv(name, value)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the actors' processes cannot import it
        ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def test_the_first_actor_is_the_early_one_and_the_next_are_rays_own(cluster):
    from rl_align.engine.early import EarlyActor

    early = EarlyActor("Counter", ("add", "later"), load, prepare=prepare, name="counter")
    other = EarlyActor("Counter", ("add",), load, after=early)
    first = early.options(name="counter", max_restarts=0).remote(1)
    assert ray.get([first.add.remote(2), first.later.remote(10)]) == [3, 13]
    assert ray.get(ray.get_actor("counter").add.remote(1)) == 4
    second = early.options(name="second").remote(start=5)
    assert ray.get(second.add.remote(1)) == 6
    assert ray.get(other.options().remote(0).add.remote(1)) == 1


def test_an_early_actor_streams(cluster):
    from rl_align.engine.early import EarlyActor

    early = EarlyActor("Counter", ("add",), load, streams=("count",), name="streaming")
    actor = early.options(name="streaming").remote(1)
    assert [ray.get(ref) for ref in actor.count.remote(3)] == [2, 3, 4]


def test_an_early_actor_with_other_options_is_not_taken(cluster):
    from rl_align.engine.early import EarlyActor

    early = EarlyActor("Counter", ("add",), load, name="as_foreseen")
    actor = early.options(name="otherwise").remote(1)
    assert ray.get(actor.add.remote(1)) == 2
    assert ray.get_actor("otherwise") is not None


def test_what_the_constructor_raises_is_raised_at_once(cluster):
    from rl_align.engine.early import EarlyActor

    with pytest.raises(ValueError, match="start below 0"):
        EarlyActor("Counter", ("add",), load).remote(-1)
