"""The defence of FigStep's authors (arXiv 2311.05608): a system prompt that has words in images checked against usage policy."""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.wrapping import as_system_prompt


@solver
def figstep_defence(prompt: str | None = None, seed: int | None = None) -> Solver:
    """One call. A task's own system prompt stays in front.

    Args:
        prompt: File that replaces the prompt; it holds no placeholder.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    return as_system_prompt("figstep_defence", "figstep_defence.v1", prompt, seed)
