"""How the matrix has Inspect ask the items of a cell: samples that are ids alone, and a `generate` that keeps nothing of a call.

Inspect copies a sample five times, compares its state before and after, and keeps every call with all that was sent, for logs that
the matrix does not write. So what a sample asks is put in when its solver runs, and calls go to the provider itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, Model, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState

from rl_align.eval.grid.sheets import Sheet

#: Takes the record of an answer, plain JSON with `item_id`.
Keep = Callable[[dict[str, Any]], None]


class Line:
    """The way to one model, for all tasks that ask it at the same time.

    Args:
        model: The model.
        limit: Requests in flight.
    """

    def __init__(self, model: Model, limit: int):
        self._api, self._gate = model.api, asyncio.Semaphore(limit)

    def generate(self, config: GenerateConfig) -> Generate:
        """Inspect's `generate` for solvers that call no tools: one completion behind the turns of a state."""

        async def ask(state: TaskState, tool_calls: str = "none", **more: Any) -> TaskState:
            settings = config.model_copy(update=more) if more else config
            async with self._gate:
                output = await self._api.generate(state.messages, [], "none", settings)
            assert isinstance(output, ModelOutput)
            state.output = output
            state.messages.append(output.message)
            return state

        return ask  # type: ignore[return-value]


def task_of(sheet: Sheet, ids: Collection[str], solver: Solver, model: Model, keep: Keep, name: str) -> Task:
    """A task that asks these items, each once, and has every record kept. Its solver is given the turns by `Keeping.watched`."""
    samples = [Sample(id=id, input="-") for id in ids]
    return Task(
        MemoryDataset(samples, name=name),
        solver=solver,
        scorer=_kept(sheet, keep),
        config=sheet.generation,
        model=model,
        name=name,
    )


def _kept(sheet: Sheet, keep: Keep) -> Scorer:
    @scorer(metrics=[], name="kept")
    def made() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            keep(await sheet.record(str(state.sample_id), state.output))
            return Score(value="kept")

        return score

    return made()
