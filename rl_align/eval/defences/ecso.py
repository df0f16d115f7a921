"""ECSO, Eyes Closed, Safety On (arXiv 2403.09572): the target judges its own answer; one that it calls harmful is given anew
without the image, from a description that it writes with the request in mind.

As in the paper, nothing is trained and no other model is asked. Without an image there is nothing to close the eyes to: an answer
that is called harmful stays, and the record says so (`flagged` and the text `kept`).
"""

from __future__ import annotations

from inspect_ai.solver import Solver, solver

from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.partners import TARGET, PartnerFailed
from rl_align.eval.defences.prompts import Question, fenced, load
from rl_align.eval.defences.turns import images_of, request_of, said, with_request, without_images
from rl_align.eval.defences.verdicts import HARM, label_said


@solver
def ecso(
    judge_prompt: str | None = None,
    caption_prompt: str | None = None,
    answer_prompt: str | None = None,
    judge_tokens: int = 512,
    caption_tokens: int = 512,
    on_failure: str = CLOSED,
    fence_key_file: str | None = None,
    seed: int | None = None,
) -> Solver:
    """Two calls, four where the first answer is called harmful.

    Args:
        judge_prompt: File that replaces how the target judges its answer; it ends in a line `VERDICT: harmful` or `harmless`.
        caption_prompt: File that replaces how it describes the image.
        answer_prompt: File that replaces how the request is put without the image; it holds `{{prompt}}` and `{{caption}}`.
        judge_tokens: Longest judgement, thinking included.
        caption_tokens: Longest description, thinking included.
        on_failure: closed or open, where a judgement cannot be read or a description is missing; open keeps the first answer.
        fence_key_file: See `prompts.Question`.
        seed: Of the target's sampling, a stream for each call; None leaves it to the server.
    """
    judge = Question("ecso_judge.v1", ("prompt", "answer"), judge_prompt, fence_key_file)
    caption = Question("ecso_caption.v1", ("prompt",), caption_prompt, fence_key_file)
    closed = load("ecso_answer.v1", ("prompt", "caption"), answer_prompt)

    async def defend(case: Case) -> Reply:
        first = await case.answer()
        request, images = request_of(case.messages), images_of(case.messages)
        asked = judge.messages({"prompt": request, "answer": said(first.output)}, images)
        judged = await case.target(asked, "judge", 1, max_tokens=judge_tokens, temperature=0.0)
        case.ledger.note("judgement", judged.completion)
        case.ledger.flagged = label_said(TARGET, judged, HARM) == "harmful"
        if not case.ledger.flagged:
            return first
        case.ledger.note("first_answer", first.output.completion)
        if not images:
            case.ledger.note("kept", "there is no image to leave out, so the first answer stands")
            return first
        asked = caption.messages({"prompt": request}, images)
        described = await case.target(asked, "caption", 2, max_tokens=caption_tokens, temperature=0.0)
        case.ledger.note("caption", described.completion)
        if not said(described):
            raise PartnerFailed(TARGET, "empty", "the image was not described")
        text = closed.fill({"prompt": request, "caption": fenced("description", said(described), fence_key_file)})
        turns = with_request(without_images(case.messages), text)
        return Reply(turns, await case.target(turns, "answer_without_image", 3))

    prompts = {"judge": judge.version, "caption": caption.version, "answer": closed.version}
    return defended("ecso", defend, prompts=prompts, on_failure=on_failure, seed=seed)
