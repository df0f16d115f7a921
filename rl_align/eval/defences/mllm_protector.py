"""MLLM-Protector (arXiv 2401.02906): a detector reads the target's answer, and a detoxifier writes a harmful one anew.

In the paper both are language models tuned for it, the detector a classifier with a threshold. Here both are models by
configuration: the detector a guard model or any general one with a closed set of labels, the detoxifier any general model with a
prompt. As in the paper neither sees the image (`show_images` lets the detector), and what the detoxifier writes is not checked
again.
"""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.guards import Watch, form_of
from rl_align.eval.defences.partners import Partner, PartnerFailed
from rl_align.eval.defences.prompts import Question
from rl_align.eval.defences.turns import images_of, request_of, said


@solver
def mllm_protector(
    detector_model: str | None = None,
    detector_base_url: str | None = None,
    detector_form: str = "label",
    detector_tokens: int = 512,
    show_images: bool = False,
    rewriter_model: str | None = None,
    rewriter_base_url: str | None = None,
    rewriter_tokens: int = 1024,
    detector_prompt: str | None = None,
    rewriter_prompt: str | None = None,
    on_failure: str = CLOSED,
    fence_key_file: str | None = None,
    seed: int | None = None,
) -> Solver:
    """Two calls, three where the answer is flagged.

    Args:
        detector_model: The detector, see `partners.py`; by default Inspect's role `detector`.
        detector_base_url: Where it is served.
        detector_form: label, llama_guard or guardreasoner, see `guards.py`.
        detector_tokens: Longest answer of the detector, thinking included.
        show_images: Whether the detector sees the images.
        rewriter_model: The detoxifier; by default Inspect's role `rewriter`.
        rewriter_base_url: Where it is served.
        rewriter_tokens: Longest answer that it writes, thinking included.
        detector_prompt: File that replaces the detector's prompt; llama_guard has none.
        rewriter_prompt: File that replaces the detoxifier's prompt.
        on_failure: closed or open, where one of them fails; open keeps the target's answer.
        fence_key_file: See `prompts.Question`.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.
    """
    form = form_of(detector_form, "detector_form", None, detector_prompt, fence_key_file)
    detector = Watch(Partner("detector", detector_model, detector_base_url), form, detector_tokens, show_images)
    detoxify = Question("detoxify.v1", ("prompt", "answer"), rewriter_prompt, fence_key_file)
    rewriter = Partner("rewriter", rewriter_model, rewriter_base_url)

    async def defend(case: Case) -> Reply:
        reply = await case.answer()
        request, answer = request_of(case.messages), said(reply.output)
        case.ledger.flagged = await detector.flags(case, request, answer, images_of(case.messages))
        if not case.ledger.flagged:
            return reply
        case.ledger.note("harmful_answer", reply.output.completion)
        asked = detoxify.messages({"prompt": request, "answer": answer})
        written = await case.partner(rewriter, "detoxify", asked, max_tokens=rewriter_tokens)
        if not said(written):
            raise PartnerFailed("rewriter", "empty", "the answer was not written anew")
        return Reply(reply.messages, case.written(said(written), written.usage, written.stop_reason))

    prompts = {**form.prompts, "detoxify": detoxify.version}
    return defended("mllm_protector", defend, prompts=prompts, on_failure=on_failure, seed=seed)
