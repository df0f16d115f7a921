"""No defence: the target's answer, with the same record as the others leave."""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.case import Case, Reply, defended


@solver
def none(seed: int | None = None) -> Solver:
    """One call.

    Args:
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """

    async def defend(case: Case) -> Reply:
        return await case.answer()

    return defended("none", defend, seed=seed)
