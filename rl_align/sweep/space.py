"""From a space of settings to trials, each with a name that follows from its settings. Pure."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rl_align.config import config_hash
from rl_align.errors import UserError
from rl_align.sweep.config import MOST_TRIALS, AxisConfig, Method, Scale, SweepConfig

#: Drawn numbers have so many significant digits: a table can show them whole.
_DIGITS = 4
#: Draws of a combination that was there before, until the space is taken to be used up.
_PATIENCE = 200


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        number: Its place in the queue, from 1 on.
        name: Hash of its settings and its seed; its run folder's name.
        point: Axis → value, or the choice's name.
        settings: `key=value` of the point.
        seed: The run's seed.
    """

    number: int
    name: str
    point: Mapping[str, Any]
    settings: tuple[str, ...]
    seed: int

    @property
    def key(self) -> str:
        """What trials of one point share: a text that tells points apart."""
        return written(dict(self.point))

    def __str__(self) -> str:
        return ", ".join(f"{name}={value if isinstance(value, str) else written(value)}" for name, value in self.point.items())


def trials(config: SweepConfig) -> list[Trial]:
    """The trials in the order in which they start: every point with the first seed, then with the next.

    Raises:
        UserError: The grid is too large, or two combinations are the same.
    """
    points = _grid(config) if config.method is Method.grid else _drawn(config)
    found, known = [], {}
    for seed in range(config.seed, config.seed + config.seeds):
        for point in points:
            settings = tuple(text for name, value in point.items() for text in _settings(name, value, config.space[name]))
            name = config_hash({"settings": sorted(settings), "seed": seed})[:12]
            trial = Trial(len(found) + 1, name, point, settings, seed)
            if name in known:
                raise UserError("two trials are the same", where=f"space: {trial} and {known[name]}")
            found.append(trial)
            known[name] = trial
    return found


def written(value: Any) -> str:
    """A value as `key=value` takes it."""
    return json.dumps(value, ensure_ascii=False)


def _settings(name: str, value: Any, axis: AxisConfig) -> Sequence[str]:
    return axis.choices[value] if axis.choices else (f"{name}={written(value)}",)


def _options(axis: AxisConfig) -> list[Any]:
    return list(axis.choices or axis.values)


def _grid(config: SweepConfig) -> list[dict[str, Any]]:
    options = {name: _options(axis) for name, axis in config.space.items()}
    if (size := math.prod(map(len, options.values()))) * config.seeds > MOST_TRIALS:
        raise UserError(f"{size} combinations", where="space", expected=f"at most {MOST_TRIALS} trials, or method: random")
    return [dict(zip(options, chosen, strict=True)) for chosen in itertools.product(*options.values())]


def _drawn(config: SweepConfig) -> list[dict[str, Any]]:
    """Each draw of an axis has a generator of its own: more trials or another axis leave what was drawn as it is."""
    found: dict[str, dict[str, Any]] = {}
    number = 0
    while len(found) < config.trials:
        if number >= _PATIENCE * config.trials:
            what = f"{len(found)} combinations were found"
            raise UserError(what, where="space", expected=f"room for {config.trials}", fix=f"set trials={len(found)}")
        point = {name: _draw(axis, random.Random(f"{config.draw_seed} {number} {name}")) for name, axis in config.space.items()}
        found.setdefault(written(point), point)
        number += 1
    return list(found.values())


def _draw(axis: AxisConfig, rng: random.Random) -> Any:
    if not axis.is_range:
        return rng.choice(_options(axis))
    low, high = axis.low, axis.high
    assert low is not None and high is not None
    if axis.whole:
        least, most = math.ceil(low), math.floor(high)
        if axis.scale is Scale.linear:
            return rng.randint(least, most)
        return min(most, max(least, round(math.exp(rng.uniform(math.log(low), math.log(high))))))
    value = rng.uniform(low, high) if axis.scale is Scale.linear else math.exp(rng.uniform(math.log(low), math.log(high)))
    return min(high, max(low, float(f"{value:.{_DIGITS}g}")))
