"""What a sweep will cost, by the estimate of single runs. Stages that trials share are counted once."""

from __future__ import annotations

from collections.abc import Mapping

from rl_align.config import config_hash
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.estimate import count_parameters, time_s
from rl_align.pipeline.run import Run


def estimate(configs: Mapping[str, RunConfig], share: bool) -> dict[str, float] | None:
    """Trial → seconds of what it does that no trial before it has done; None when the model is not there yet.

    Args:
        configs: Trial → resolved configuration, in the order in which they start.
        share: Whether finished stages are taken over from other trials.
    """
    done: set[str] = set()
    found = {}
    for name, config in configs.items():
        parameters = count_parameters(config)
        if parameters is None:
            return None
        times = time_s(config, parameters, config.engine.nodes * config.engine.devices_per_node)
        found[name] = 0.0
        before: list[str] = []
        for stage in Run(config).stages():
            before.append(config_hash([stage.name, stage.config_part]))  # after the same stages it makes the same
            chain = config_hash(before)
            if not (share and chain in done):
                found[name] += times.get(stage.name, 0.0)
            done.add(chain)
    return found
