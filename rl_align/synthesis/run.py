"""Items through a pipeline: side by side, each until an attempt passes, and in their order at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from rl_align.schema import Item
from rl_align.synthesis.hostile import category, unusable
from rl_align.synthesis.types import Attempt, Decision, Fall, Fate, Fell, Made, PartnerFailed, Stopped, Trial


class Pipeline(Protocol):
    """What MSR-Align's and VLMGuard-R1's pipelines are."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that an attempt can fall at, in order."""
        ...

    async def attempt(self, item: Item, trial: Trial) -> Made:
        """One attempt.

        Raises:
            Fell: It did not pass.
            PartnerFailed: A model gave no answer.
            Stopped: The run is over.
        """
        ...


async def decide(
    pipeline: Pipeline, items: Sequence[Item], attempts: int, concurrency: int, longest: int, told: Callable[[Decision], None]
) -> list[Decision]:
    """What becomes of each item, in their order, whatever order the answers come in.

    Once the run is over items are still decided as far as the record of answers goes; what is left is undecided.

    Args:
        pipeline: The pipeline.
        items: The items.
        attempts: Most attempts at an item.
        concurrency: Items under way at the same time.
        longest: Most characters of a prompt that is sent.
        told: Called with each decision as it is made.

    Raises:
        UserError: Something that has to do with no item: an answer that cannot be kept, a template.
    """
    decisions: list[Decision | None] = [None] * len(items)
    waiting = iter(enumerate(items))

    async def work() -> None:
        for index, item in waiting:
            decisions[index] = await _decide(pipeline, item, attempts, longest)
            told(decisions[index])

    workers = [asyncio.ensure_future(work()) for _ in range(min(concurrency, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [decision for decision in decisions if decision is not None]


async def _decide(pipeline: Pipeline, item: Item, attempts: int, longest: int) -> Decision:
    name, tried = category(item), []
    # Pictures are decoded in a thread: a large one must not hold up the answers of the others.
    if fall := await asyncio.to_thread(unusable, item, longest):
        return Decision(item, name, Fate.REJECTED, fall=fall)
    for number in range(1, attempts + 1):
        trial = Trial(number)
        try:
            made = await pipeline.attempt(item, trial)
        except Fell as fell:
            tried.append(Attempt(number, trial.text, fell.fall))
        except PartnerFailed as failed:
            tried.append(Attempt(number, trial.text, failed.fall))
            return Decision(item, name, Fate.FAILED, tuple(tried), fall=failed.fall)
        except Stopped as stopped:
            return Decision(item, name, Fate.UNDECIDED, tuple(tried), fall=Fall("run", "stopped", str(stopped)))
        else:
            return Decision(item, name, Fate.KEPT, (*tried, Attempt(number, trial.text, None)), made)
    return Decision(item, name, Fate.REJECTED, tuple(tried), fall=tried[-1].fall)
