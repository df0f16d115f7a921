"""AdaShield-S (arXiv 2403.09513): a static prompt with the request, which has the image examined before anything is answered.

The adaptive variant (AdaShield-A), which picks among prompts that a second model has refined, is not here.
"""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.wrapping import around_the_request


@solver
def adashield_s(prompt: str | None = None, seed: int | None = None) -> Solver:
    """One call.

    Args:
        prompt: File that replaces the prompt; it holds `{{prompt}}`.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    return around_the_request("adashield_s", "adashield_s.v1", prompt, seed)
