"""ETA, Evaluating Then Aligning (arXiv 2410.06625): where image and answer are both graded unsafe, the answer is written anew
behind an interference prefix, sentence by sentence, the best of N candidates each.

Simplified against the paper: (1) one scoring model, asked for grades from 0 to 10, stands in for CLIP (image against a safety text,
and image against each sentence) and for the reward model with a safety-centred template; (2) so a candidate's worth is one grade,
safety before use, instead of a weighted sum of reward and likeness to the image; (3) thresholds are shares of those grades, not the
paper's numbers; (4) the answer is graded only where the image is unsafe already, which decides the same with fewer calls; (5) a
candidate is generated to a number of tokens and cut behind its first sentence. Without any image the answer's grade decides alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from inspect_ai.model import ChatMessageAssistant, ModelOutput, ModelUsage
from inspect_ai.solver import Solver, solver
from inspect_ai.util import collect

from rl_align.errors import UserError
from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.partners import Partner
from rl_align.eval.defences.prompts import Question, load
from rl_align.eval.defences.turns import images_of, request_of, said
from rl_align.eval.defences.verdicts import GRADES, label_said

#: How a server is told to go on with the assistant's last turn: vLLM by fields of the request, others by that turn alone.
CONTINUATIONS = {
    "vllm": {"extra_body": {"continue_final_message": True, "add_generation_prompt": False}},
    "native": {},
}

#: A sentence and what closes it; of a text without an end, all of it.
_SENTENCE = re.compile(r"\s*\S.*?(?:[.!?…]+[\"'”’)\]]*(?=\s|\Z)|[。！？]+|(?=\n)|\Z)", re.DOTALL)
_ENDS = (".", "!", "?", "…")


class Candidate(NamedTuple):
    """The next sentence as the target would write it, whether the answer ends with it, and the tokens that it cost."""

    text: str
    last: bool
    tokens: int


@solver
def eta(
    scorer_model: str | None = None,
    scorer_base_url: str | None = None,
    scorer_tokens: int = 256,
    image_threshold: float = 0.5,
    answer_threshold: float = 0.5,
    candidates: int = 5,
    max_sentences: int = 16,
    sentence_tokens: int = 64,
    temperature: float = 0.7,
    continuation: str = "vllm",
    prefix: str | None = None,
    image_prompt: str | None = None,
    answer_prompt: str | None = None,
    on_failure: str = CLOSED,
    fence_key_file: str | None = None,
    seed: int | None = None,
) -> Solver:
    """Two calls where the image is safe, three where only the answer is; else 3 + sentences × (candidates + distinct ones).

    Args:
        scorer_model: The scoring model, see `partners.py`; by default Inspect's role `scorer`.
        scorer_base_url: Where it is served.
        scorer_tokens: Longest grade with its reason, thinking included.
        image_threshold: An image graded below this share of the best grade is unsafe.
        answer_threshold: The same for answers.
        candidates: N, candidates of each sentence.
        max_sentences: Most sentences behind the prefix; an answer that is longer ends there, with the reason `max_tokens`.
        sentence_tokens: Tokens of a candidate.
        temperature: Of candidates.
        continuation: vllm or native: how the target's server is told to go on with a turn. One that starts a new turn instead
            writes another kind of answer, and nobody notices: know your server.
        prefix: File that replaces the interference prefix.
        image_prompt: File that replaces how images are graded.
        answer_prompt: File that replaces how answers and candidates are graded.
        on_failure: closed or open, where the scorer or a candidate fails; open keeps the first answer.
        fence_key_file: See `prompts.Question`.
        seed: Of the target's sampling, a stream for each call; None leaves it to the server.
    """
    for name, number in (("candidates", candidates), ("max_sentences", max_sentences), ("sentence_tokens", sentence_tokens)):
        if number < 1:
            raise UserError(f"is {number}", where=f"eta.{name}", expected="1 or more")
    if continuation not in CONTINUATIONS:
        raise UserError(f"is {continuation!r}", where="eta.continuation", expected=" or ".join(CONTINUATIONS))
    scorer = Partner("scorer", scorer_model, scorer_base_url)
    of_image = Question("eta_image.v1", (), image_prompt, fence_key_file)
    of_answer = Question("eta_answer.v1", ("prompt", "answer"), answer_prompt, fence_key_file)
    begun = load("eta_prefix.v1", (), prefix)

    async def grade_images(case: Case, images: Sequence[str]) -> float:
        output = await case.partner(scorer, "grade_image", of_image.messages({}, images), max_tokens=scorer_tokens)
        case.ledger.note("image_grade", output.completion)
        return GRADES[label_said(scorer.role, output, GRADES)]

    async def grade_answer(case: Case, answer: str, purpose: str) -> float:
        asked = of_answer.messages({"prompt": request_of(case.messages), "answer": answer}, images_of(case.messages))
        output = await case.partner(scorer, purpose, asked, max_tokens=scorer_tokens)
        return GRADES[label_said(scorer.role, output, GRADES)]

    async def next_sentence(case: Case, text: str, number: int) -> Candidate:
        async def draw(k: int) -> ModelOutput:
            turns = [*case.messages, ChatMessageAssistant(content=text)]
            settings = {"max_tokens": sentence_tokens, "temperature": temperature, **CONTINUATIONS[continuation]}
            return await case.target(turns, "candidate", 1 + number * candidates + k, **settings)

        drawn = [_candidate(text, output) for output in await collect(*(draw(k) for k in range(candidates)))]
        distinct = list({c.text: c for c in drawn}.values())
        if len(distinct) == 1:
            return distinct[0]
        grades = await collect(*(grade_answer(case, text + c.text, "grade_candidate") for c in distinct))
        return distinct[grades.index(max(grades))]

    async def align(case: Case) -> Reply:
        text, tokens, ended = begun.text, 0, False
        for number in range(max_sentences):
            chosen = await next_sentence(case, text, number)
            text, tokens, ended = text + chosen.text, tokens + chosen.tokens, chosen.last
            if ended:
                break
        usage = ModelUsage(output_tokens=tokens, total_tokens=tokens)
        return Reply(case.messages, case.written(text, usage, "stop" if ended else "max_tokens"))

    async def defend(case: Case) -> Reply:
        first = await case.answer()
        images = images_of(case.messages)
        unsafe = not images or await grade_images(case, images) < image_threshold
        if unsafe:
            grade = await grade_answer(case, said(first.output), "grade_answer")
            case.ledger.note("answer_grade", f"{grade:g}")
            unsafe = grade < answer_threshold
        case.ledger.flagged = unsafe
        if not unsafe:
            return first
        case.ledger.note("first_answer", first.output.completion)
        return await align(case)

    prompts = {"image": of_image.version, "answer": of_answer.version, "prefix": begun.version}
    return defended("eta", defend, prompts=prompts, on_failure=on_failure, seed=seed)


def _candidate(before: str, output: ModelOutput) -> Candidate:
    """What a continuation adds: its first sentence, set off from the one before it."""
    text = output.completion
    match = _SENTENCE.match(text)
    sentence = match[0] if match else ""
    last = output.stop_reason not in ("max_tokens", "unknown") and not text[len(sentence) :].strip()
    if sentence and before.endswith(_ENDS) and not sentence[0].isspace():
        sentence = " " + sentence
    # Nothing but space: going on would ask the same thing again.
    return Candidate(sentence.rstrip(), last or not sentence, output.usage.output_tokens if output.usage else 0)
