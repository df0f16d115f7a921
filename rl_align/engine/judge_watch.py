"""Counts what judges said while a policy trains, and stops the run when they have stopped saying anything.

A judge that is down costs samples, not correctness: its rollouts are left out. Above a share that is no longer an accident the
run would train on whatever is left, so it stops and says why; the same command continues once the judge is back.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from rl_align.errors import EngineFailed


class JudgeWatch:
    """Reads the opinions of every batch.

    Args:
        judges: Preset → its settings: `max_unscored_share`, `min_calls`, `window`.
    """

    def __init__(self, judges: Mapping[str, Mapping[str, Any]]):
        self._judges = judges
        self._failed = {name: deque(maxlen=int(cfg["window"])) for name, cfg in judges.items()}
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)

    def read(self, facts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
        """Metrics of one batch, by `judge/<preset>/…`.

        Args:
            facts: Of each text; its `judges` are what `judging.py` told.

        Raises:
            EngineFailed: Among the latest opinions that a judge was asked for, too many have failed.
        """
        told = [f["judges"] for f in facts if f.get("judges")]
        values: dict[str, float] = {}
        for name in self._judges:
            asked = [t[name] for t in told if name in t and t[name]["asked"]]
            failed = [t for t in asked if t["score"] is None]
            self._failed[name].extend(t["score"] is None for t in asked)
            self._reasons[name].update(t["reason"] for t in failed)
            if asked:
                values |= {
                    f"judge/{name}/asked": len(asked),
                    f"judge/{name}/unscored_share": len(failed) / len(asked),
                    f"judge/{name}/cached_share": sum(t["cached"] for t in asked) / sum(t["asked"] for t in asked),
                    f"judge/{name}/latency_s": fmean(t["latency_s"] / t["asked"] for t in asked),
                    f"judge/{name}/cost": sum(t["cost"] for t in asked),
                }
                values |= {f"judge/{name}/unscored/{why}": n for why, n in Counter(t["reason"] for t in failed).items()}
        self._check()
        return values

    def _check(self) -> None:
        for name, cfg in self._judges.items():
            latest = self._failed[name]
            if len(latest) < int(cfg["min_calls"]) or sum(latest) <= float(cfg["max_unscored_share"]) * len(latest):
                continue
            reasons = ", ".join(f"{n} {why}" for why, n in self._reasons[name].most_common(4))
            raise EngineFailed(
                f"judge {name}: {sum(latest)} of the latest {len(latest)} opinions failed ({reasons})",
                where=f"judges.judges.{name}.max_unscored_share",
                expected=f"a share of at most {float(cfg['max_unscored_share']):g}",
                fix="see whether the judge's endpoint answers, then run the same command again",
            )
