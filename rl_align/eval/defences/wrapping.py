"""Defences that only change what the target is told: a text around the request, or one more system prompt. One call each."""

from __future__ import annotations

from inspect_ai.solver import Solver

from rl_align.eval.defences.case import Case, Reply, defended
from rl_align.eval.defences.prompts import load
from rl_align.eval.defences.turns import request_of, with_request, with_system


def around_the_request(name: str, version: str, prompt: str | None, seed: int | None) -> Solver:
    """The last user turn's text in a template that holds `{{prompt}}`; the text itself is not touched.

    Args:
        name: Of the defence.
        version: Of its prompt, a file of the package.
        prompt: File that replaces it.
        seed: Of the target's sampling.

    Raises:
        UserError: The file cannot be used.
    """
    template = load(version, ("prompt",), prompt)

    async def defend(case: Case) -> Reply:
        return await case.answer(with_request(case.messages, template.fill({"prompt": request_of(case.messages)})))

    return defended(name, defend, prompts={"prompt": template.version}, seed=seed)


def as_system_prompt(name: str, version: str, prompt: str | None, seed: int | None) -> Solver:
    """A text at the end of the system message, or as one. Arguments and errors as `around_the_request`."""
    template = load(version, (), prompt)

    async def defend(case: Case) -> Reply:
        return await case.answer(with_system(case.messages, template.fill({})))

    return defended(name, defend, prompts={"prompt": template.version}, seed=seed)
