"""Asks for many opinions side by side, counts what came of them, and stops when too many have failed.

A judge that is down costs samples, not correctness: its opinions are unscored and its rollouts left out. Above a share that is no
longer an accident the run must stop, or it would train on whatever is left.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from reward.judges.config import JudgeConfig
from reward.judges.hardening import Hardening
from reward.judges.judge import ask, prepare
from reward.judges.preset import Preset, Setting
from reward.judges.types import JudgeVerdict, Opinion, Request, Shown, Usage, Why
from rl_align.endpoints.types import Completer
from rl_align.errors import EngineFailed
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item


class JudgeOutage(EngineFailed):
    """Too many opinions have failed to go on."""


@dataclass(frozen=True)
class Case:
    """What one opinion is about."""

    item: Item
    response: Shown


class Tally:
    """Counts of one judge, over as many batches as it is given to.

    Args:
        name: Of the judge, for the error.
        cfg: The share of failures that is too much, and since when.
    """

    def __init__(self, name: str, cfg: JudgeConfig):
        self._name, self._cfg = name, cfg
        self._reasons: Counter[str] = Counter()
        self._scored = 0
        self._usage = Usage()
        # The latest opinions only: an outage late in a long run is an outage.
        self._failed: deque[bool] = deque()
        self._failures = 0

    def add(self, opinion: Opinion) -> None:
        """Counts an opinion.

        Raises:
            JudgeOutage: Among the latest opinions that a judge was asked for, too many have failed.
        """
        scored = isinstance(opinion, JudgeVerdict)
        self._scored += scored
        self._reasons.update([] if scored else [opinion.reason])
        self._usage += opinion.usage
        # Where there was nothing to ask, no judge has failed or succeeded; an unreadable image is the data's fault.
        if opinion.usage.votes:
            self._failed.append(not scored)
            self._failures += not scored
            if len(self._failed) > self._cfg.window:
                self._failures -= self._failed.popleft()
            self._check()

    @property
    def unscored_share(self) -> float | None:
        """Share of failures among the latest opinions that a judge was asked for; None before the first."""
        return self._failures / len(self._failed) if self._failed else None

    def metrics(self, prefix: str = "judge") -> dict[str, float]:
        """Counts and sums since the beginning, and the share; `<prefix>/unscored/<reason>` for reasons that occurred.

        `scored` and all of `unscored/…` add up to `opinions`. Tokens are those of cached answers too. Failed votes have no tokens
        and no cost here: the endpoint counts what was paid for them. Latency is the mean over votes that came back.

        Args:
            prefix: Of the names. Where several judges report, or an endpoint beside them, `judge/<preset>` keeps them apart.
        """
        usage = self._usage
        values: dict[str, float] = {
            "opinions": self._scored + self._reasons.total(),
            "scored": self._scored,
            **{f"unscored/{reason}": n for reason, n in sorted(self._reasons.items())},
            "unscored_share": self.unscored_share or 0.0,
            "votes": usage.votes,
            "votes_failed": usage.failed,
            "attempts": usage.attempts,
            "cached": usage.cached,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "latency_s": usage.latency_s / max(1, usage.answered),
            "cost": usage.cost,
        }
        return {f"{prefix}/{name}": value for name, value in values.items()}

    def _check(self) -> None:
        share, cfg = self.unscored_share or 0.0, self._cfg
        if len(self._failed) < cfg.min_calls or share <= cfg.max_unscored_share:
            return
        reasons = {r: n for r, n in self._reasons.most_common() if r != Why.NOT_APPLICABLE.value}
        raise JudgeOutage(
            f"judge {self._name}: {self._failures} of the latest {len(self._failed)} opinions failed "
            f"({', '.join(f'{n} {reason}' for reason, n in reasons.items())} so far)",
            where="judge.max_unscored_share",
            expected=f"a share of at most {cfg.max_unscored_share:g}",
            fix="see whether the judge's endpoint answers, then run the same command again",
        )


async def judge_all(
    preset: Preset,
    cases: Sequence[Case],
    completer: Completer,
    config: JudgeConfig,
    tally: Tally,
    *,
    catalogue: Catalogue | None = None,
    hardening: Hardening | None = None,
) -> list[Opinion]:
    """Opinions on these cases, in their order; at most `config.concurrency` are asked for at a time.

    Args:
        preset: The question.
        cases: What to judge.
        completer: The judge's endpoint.
        config: How it is asked.
        tally: Counts every opinion as it comes in.
        catalogue: Policies that items and responses refer to; the package's own by default.
        hardening: How untrusted text gets into the prompt; as configured by default.

    Raises:
        JudgeOutage: Too many have failed; what is still under way is cancelled.
        UserError: A template or the key of fences is unusable.
    """
    setting = Setting(config, catalogue or Catalogue.load(), hardening or Hardening.of(config))
    # Prompts are written ahead of the calls, one at a time: answers come in bursts, and whatever stands between an answer and the
    # next request leaves the endpoint idle. Not too far ahead, since they hold images.
    ready: asyncio.Queue[tuple[int, Request | Opinion] | None] = asyncio.Queue(config.concurrency)
    opinions: dict[int, Opinion] = {}
    callers = min(config.concurrency, len(cases))

    async def write() -> None:
        for index, case in enumerate(cases):
            await ready.put((index, prepare(preset, case.item, case.response, setting)))
            await asyncio.sleep(0)
        for _ in range(callers):
            await ready.put(None)

    async def call() -> None:
        while (work := await ready.get()) is not None:
            index, request = work
            opinions[index] = await ask(preset, request, completer, config) if isinstance(request, Request) else request
            tally.add(opinions[index])

    tasks = [asyncio.ensure_future(part) for part in (write(), *(call() for _ in range(callers)))]
    try:
        await asyncio.gather(*tasks)
        return [opinions[index] for index in range(len(cases))]
    finally:
        for task in tasks:
            task.cancel()
        # Cancelled tasks run once more to end; left alone they would end in the caller's next await, or never.
        await asyncio.gather(*tasks, return_exceptions=True)
