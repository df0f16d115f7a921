"""Self-reminder (Xie et al., Nature Machine Intelligence 2023): the request between two reminders of responsibility.

Where the paper puts the first reminder into the system prompt, both stand in the user's turn: a task's own system prompt stays
whole.
"""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.wrapping import around_the_request


@solver
def self_reminder(prompt: str | None = None, seed: int | None = None) -> Solver:
    """One call.

    Args:
        prompt: File that replaces the prompt; it holds `{{prompt}}`.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    return around_the_request("self_reminder", "self_reminder.v1", prompt, seed)
