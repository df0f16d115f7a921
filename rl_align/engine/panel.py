"""The hacking panel beside training: what its instruments need of a run, step by step. What they are is in `reward/panel.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reward.credit import Credit
from reward.panel import Alarms, PanelConfig, read
from rl_align.runfiles.atomic import read_lines

from . import scoring

#: Steps whose mean length is "the beginning".
FIRST_STEPS = 3
LENGTH = "response_length/mean"


class Panel:
    """Reads the instruments of one training stage.

    Args:
        settings: The engine's own part of the configuration: `panel`, `measure`, `measure_settings`, `folder`, `stage`.
    """

    def __init__(self, settings: Mapping[str, Any]):
        self._alarms = Alarms(PanelConfig(**dict(settings.get("panel") or {})))
        self._raised: set[str] = set()
        self._measure: Callable[[str, str], float | None] | None = None
        if settings.get("measure"):
            self._measure = scoring.load(settings["measure"], dict(settings["measure_settings"]))
        done = read_lines(Path(settings["folder"]) / "metrics.jsonl")
        lengths = {row["step"]: row[LENGTH] for row in done if row.get("stage") == settings["stage"] and LENGTH in row}
        self._lengths: list[float] = [lengths[step] for step in sorted(lengths)][:FIRST_STEPS]

    def read(self, keys: Sequence[str], told: Sequence[Any], credit: Credit) -> dict[str, float]:
        """The panel's metrics of a batch. Adds `truth` to what is told of a text, where truth is known."""
        facts, earned = [], defaultdict(list)
        for key, text, row in zip(keys, told, credit.rows, strict=True):
            if row is None:
                continue
            if self._measure and (truth := self._measure(text["item_id"], text["text"])) is not None:
                text["truth"] = truth
            known = {name: text.get(name) for name in ("text", "tokens", "truth")}
            facts.append({**text.get("facts", {}), **known, "group": key.rsplit("_", 2)[0], "reward": row.reward})
            for name, reward in (text.get("canaries") or {}).items():
                if reward is not None:
                    earned[name].append(reward)
        return read(facts) | {f"panel/canary/{name}": fmean(rewards) for name, rewards in earned.items()}

    def alarm(self, values: dict[str, float]) -> list[str]:
        """Adds the drift of the length and `alarm/<name>` to a step's values; returns what has not been said before."""
        if LENGTH in values:
            if len(self._lengths) < FIRST_STEPS:
                self._lengths.append(values[LENGTH])
            else:
                values["panel/length_drift"] = values[LENGTH] / max(1e-9, fmean(self._lengths))
        found = self._alarms.check(values)
        values |= {f"alarm/{name}": 1.0 for name in found}
        new = [words for name, words in found.items() if name not in self._raised]
        self._raised = set(found)
        return new
