"""A guard model in front of the target: what it flags is answered by a generic refusal, and the target is never asked.

The usual way to deploy Llama Guard (arXiv 2312.06674; 3 and 4 read the same). With `check_answer` it reads the target's answer as
well.
"""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.guards import Watch, form_of
from rl_align.eval.defences.partners import Partner
from rl_align.eval.defences.prompts import load
from rl_align.eval.defences.turns import images_of, request_of, said


@solver
def refuse_if_flagged(
    guard_model: str | None = None,
    guard_base_url: str | None = None,
    guard_form: str = "llama_guard",
    guard_tokens: int = 512,
    show_images: bool = True,
    check_answer: bool = False,
    refusal: str | None = None,
    prompt: str | None = None,
    answer_prompt: str | None = None,
    on_failure: str = CLOSED,
    fence_key_file: str | None = None,
    seed: int | None = None,
) -> Solver:
    """Two calls, one where the request is flagged; one more with `check_answer`. The guard reads the last user turn and all images.

    Args:
        guard_model: The guard, see `partners.py`; by default Inspect's role `guard`.
        guard_base_url: Where it is served.
        guard_form: llama_guard, guardreasoner or label, see `guards.py`.
        guard_tokens: Longest answer of the guard, thinking included.
        show_images: Whether the guard sees the images; false for one that reads text only, such as Llama Guard 3 8B.
        check_answer: Whether the guard reads the target's answer, too.
        refusal: File with the refusal, or a prompt of the package: `refusal_transcript.v1` follows the responder's grammar.
        prompt: File that replaces the guard's prompt, with label that about requests; llama_guard has none.
        answer_prompt: File that replaces its prompt about answers; of label.
        on_failure: closed or open, where the guard has no verdict; open lets the request, or the answer, pass.
        fence_key_file: See `prompts.Question`; of label only.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    form = form_of(guard_form, "guard_form", prompt, answer_prompt, fence_key_file)
    guard = Watch(Partner("guard", guard_model, guard_base_url), form, guard_tokens, show_images)
    declined = load("refusal.v1", (), refusal)

    async def defend(case: Case) -> Reply:
        request, images = request_of(case.messages), images_of(case.messages)
        case.ledger.flagged = await guard.flags(case, request, None, images)
        if case.ledger.flagged:
            return case.refuse(declined.text)
        reply = await case.answer()
        if check_answer:
            case.ledger.flagged = await guard.flags(case, request, said(reply.output), images)
            if case.ledger.flagged:
                case.ledger.note("withheld", reply.output.completion)
                return case.refuse(declined.text)
        return reply

    prompts = {**form.prompts, "refusal": declined.version}
    return defended("refuse_if_flagged", defend, prompts=prompts, on_failure=on_failure, seed=seed)
