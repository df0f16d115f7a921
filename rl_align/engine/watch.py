"""Counts what judges and the target said while a policy trains, and stops the run when they have stopped saying anything.

Whoever is down costs samples, not correctness: its rollouts are left out. Above a share that is no longer an accident the run would
train on whatever is left, or on nothing at all, so it stops and says why; the same command continues once they are back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from statistics import fmean
from typing import Any

from rl_align.errors import EngineFailed
from rl_align.schema import Status

from .judging import HELDOUT

#: How a rollout ends whose target did not answer.
LOST = {Status.PARTNER_ERROR.value, Status.TIMEOUT.value}


class Window:
    """The latest outcomes of one kind.

    Args:
        limit: Largest share of failures.
        least: Outcomes before the share counts.
        size: Latest outcomes that it is taken over.
    """

    def __init__(self, limit: float, least: int, size: int):
        self.limit, self._least = limit, least
        self._failed: deque[bool] = deque(maxlen=size)
        self._reasons: Counter[str] = Counter()

    def add(self, reason: str | None) -> None:
        """One outcome: why it failed, or None."""
        self._failed.append(reason is not None)
        if reason is not None:
            self._reasons[reason] += 1

    def outage(self, what: str) -> str | None:
        """How many of `what` failed, in words, when they are too many; else None."""
        failed, asked = sum(self._failed), len(self._failed)
        if asked < self._least or failed <= self.limit * asked:
            return None
        reasons = ", ".join(f"{n} {why}" for why, n in self._reasons.most_common(4))
        return f"{failed} of the latest {asked} {what} failed ({reasons})"


class Watch:
    """Reads what was told of every text, whether it is trained on or not.

    Args:
        judges: Preset → its settings: `max_unscored_share`, `min_calls`, `window`.
        target: The target's: `max_failed_share`, `min_calls`, `window`; None where no target is asked.
        address: Where the target is asked, for the error.
        heldout: Further judges, whose outages are counted and stop nothing: no reward is theirs.
    """

    def __init__(
        self,
        judges: Mapping[str, Mapping[str, Any]],
        target: Mapping[str, Any] | None = None,
        address: str = "its endpoint",
        heldout: Collection[str] = (),
    ):
        self._judges = {name: _window(cfg, "max_unscored_share") for name, cfg in judges.items()}
        self._judges |= {name: Window(1.0, 1, 1) for name in heldout}
        self._target = _window(target, "max_failed_share") if target else None
        self._address = address
        #: What was told of the texts of this step, by key: dynamic sampling reads them before the batch is there.
        self._told: dict[str, Mapping[str, Any]] = {}
        self._lost: Counter[str] = Counter()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Watch:
        """As the engine's own part of the configuration says (`rl_align` in verl's)."""
        scorer = settings.get("scorer_settings") or {}
        address = (scorer.get("endpoint") or {}).get("base_url") or "its endpoint"
        heldout = ((scorer.get("judges") or {}).get("heldout") or {}).get("judges") or ()
        return cls(settings.get("judges") or {}, scorer.get("target"), address, [f"{name}{HELDOUT}" for name in heldout])

    def add(self, told: Mapping[str, Mapping[str, Any]]) -> None:
        """Counts texts that were not counted in this step yet.

        Args:
            told: Key → what the agent loop said of a text: `status`, `reward`, `gate`, and in its `facts` the `judges`
                (`judging.py`) and `lost`, why the target did not answer.

        Raises:
            EngineFailed: Among the latest texts about which a judge or the target was asked, too many have failed.
        """
        for key, text in told.items():
            if key not in self._told:
                self._told[key] = text
                self._count(text)
        self._check()

    def take(self) -> dict[str, float]:
        """Metrics of the texts since the last call, by `judge/<preset>/…` and `target/…`."""
        told, self._told, self._lost = list(self._told.values()), {}, Counter()
        opinions = [text.get("facts", {}).get("judges") or {} for text in told]
        values: dict[str, float] = {}
        for name in self._judges:
            values |= _judged(f"judge/{name}", [said[name] for said in opinions if name in said and said[name]["asked"]])
        answered = [reason is None for reason in map(_outcome, filter(_asks_target, told))] if self._target else []
        if answered:
            values |= {"target/asked": len(answered), "target/failed_share": 1 - fmean(answered)}
        return values

    @property
    def unscored(self) -> str:
        """Why texts of this step have no reward, in words; empty when all of them have one."""
        return ", ".join(f"{n} {why}" for why, n in self._lost.most_common(4))

    def _count(self, text: Mapping[str, Any]) -> None:
        facts = text.get("facts") or {}
        reasons = []
        for name, said in (facts.get("judges") or {}).items():
            if name in self._judges and said["asked"]:
                self._judges[name].add(said["reason"] if said["score"] is None else None)
                reasons += [f"{name}: {said['reason']}"] if said["score"] is None else []
        if self._target and _asks_target(text):
            self._target.add(_outcome(text))
        if text["reward"] is None:
            self._lost[", ".join(reasons) or _outcome(text) or text["status"]] += 1

    def _check(self) -> None:
        for name, window in self._judges.items():
            if outage := window.outage("opinions"):
                raise EngineFailed(
                    f"judge {name}: {outage}",
                    where=f"judges.judges.{name}.max_unscored_share",
                    expected=f"a share of at most {window.limit:g}",
                    fix="see whether the judge's endpoint answers, then run the same command again",
                )
        if self._target and (outage := self._target.outage("rollouts")):
            raise EngineFailed(
                f"the target: {outage}",
                where="rewriter.target.max_failed_share",
                expected=f"a share of at most {self._target.limit:g}",
                fix=f"see whether it answers at {self._address}, then run the same command again",
            )


def _window(cfg: Mapping[str, Any], limit: str) -> Window:
    return Window(float(cfg[limit]), int(cfg["min_calls"]), int(cfg["window"]))


def _asks_target(text: Mapping[str, Any]) -> bool:
    """Whether the target was asked: a text without a rewrite, or behind a closed gate, is not handed on."""
    return text["status"] in LOST or (text.get("gate") is None and text["status"] != Status.PARSE_ERROR.value)


def _outcome(text: Mapping[str, Any]) -> str | None:
    """Why the target did not answer; None when it did."""
    if text["status"] not in LOST:
        return None
    return (text.get("facts") or {}).get("lost") or text["status"]


def _judged(prefix: str, asked: list[Mapping[str, Any]]) -> dict[str, float]:
    """What a judge was asked in a step, and what came of it."""
    if not asked:
        return {}
    failed = Counter(said["reason"] for said in asked if said["score"] is None)
    return {
        f"{prefix}/asked": len(asked),
        f"{prefix}/unscored_share": failed.total() / len(asked),
        f"{prefix}/cached_share": sum(said["cached"] for said in asked) / sum(said["asked"] for said in asked),
        f"{prefix}/latency_s": fmean(said["latency_s"] / said["asked"] for said in asked),
        f"{prefix}/cost": sum(said["cost"] for said in asked),
        **{f"{prefix}/unscored/{why}": n for why, n in failed.items()},
    }
