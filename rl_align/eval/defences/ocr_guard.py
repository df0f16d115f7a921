"""The words in the image, read by OCR, go to a text guard together with the request; what it flags is refused.

No paper's method, but the obvious answer to typographic attacks (FigStep, MM-SafetyBench), whose words no text guard sees. What is
shown and not written is not seen.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from inspect_ai.solver import Solver, solver

from rl_align.errors import UserError
from rl_align.eval.defences.case import CLOSED, Case, Reply, defended
from rl_align.eval.defences.guards import Watch, form_of
from rl_align.eval.defences.ocr import ROLE, Ocr, decoded, rapidocr
from rl_align.eval.defences.partners import Partner, PartnerFailed
from rl_align.eval.defences.prompts import load
from rl_align.eval.defences.turns import images_of, request_of
from rl_align.guard.config import ImagesConfig
from rl_align.guard.pictures import Pictures

#: Pictures that are read at the same time, over all samples.
_AT_ONCE = 2


@solver
def ocr_guard(
    guard_model: str | None = None,
    guard_base_url: str | None = None,
    guard_form: str = "llama_guard",
    guard_tokens: int = 512,
    ocr: str | Ocr = "rapidocr",
    min_score: float = 0.5,
    max_images: int = 16,
    refusal: str | None = None,
    prompt: str | None = None,
    joined: str | None = None,
    on_failure: str = CLOSED,
    fence_key_file: str | None = None,
    seed: int | None = None,
) -> Solver:
    """OCR of every image, and two calls, one where the request is flagged. The guard reads the last user turn and sees no image.

    Args:
        guard_model: The text guard, see `partners.py`; by default Inspect's role `guard`.
        guard_base_url: Where it is served.
        guard_form: llama_guard, guardreasoner or label, see `guards.py`.
        guard_tokens: Longest answer of the guard, thinking included.
        ocr: rapidocr, or in Python any function from an RGB picture to its lines of text.
        min_score: RapidOCR's lines that are read with less confidence are left out.
        max_images: A sample with more images fails.
        refusal: File with the refusal, or the name of a prompt of the package, as for `refuse_if_flagged`.
        prompt: File that replaces the guard's prompt; llama_guard has none.
        joined: File that replaces how request and words are put together; it holds `{{prompt}}` and `{{words}}`.
        on_failure: closed or open, where OCR fails or the guard has no verdict; open lets the request pass.
        fence_key_file: See `prompts.Question`; of label only.
        seed: Of the target's sampling, a stream for each sample; None leaves it to the server.

    Raises:
        UserError: RapidOCR is not installed.
    """
    if not callable(ocr) and ocr != "rapidocr":
        raise UserError(f"is {ocr!r}", where="ocr_guard.ocr", expected="rapidocr, or a function")
    read = ocr if callable(ocr) else rapidocr(min_score)
    form = form_of(guard_form, "guard_form", prompt, None, fence_key_file)
    guard = Watch(Partner("guard", guard_model, guard_base_url), form, guard_tokens, False)
    declined, both = load("refusal.v1", (), refusal), load("ocr_request.v1", ("prompt", "words"), joined)
    pictures, threads = Pictures(ImagesConfig()), ThreadPoolExecutor(_AT_ONCE, "ocr")

    async def words_in(case: Case, url: str) -> str:
        picture = await decoded(url, pictures)
        try:
            lines, seconds = await asyncio.get_running_loop().run_in_executor(threads, _timed, read, picture)
        except PartnerFailed:
            raise
        except Exception as error:  # an engine of its own, on hostile pictures
            raise PartnerFailed(ROLE, "unreadable_image", repr(error)) from error
        case.step("ocr", ROLE, seconds)
        return "\n".join(line for line in lines if line.strip())

    async def defend(case: Case) -> Reply:
        images, request = images_of(case.messages), request_of(case.messages)
        if len(images) > max_images:
            raise PartnerFailed(ROLE, "too_many_images", f"{len(images)} images, expected at most {max_images}")
        words = "\n".join(filter(None, [await words_in(case, url) for url in images]))
        case.ledger.note("words", words)
        shown = both.fill({"prompt": request, "words": words}) if words else request
        case.ledger.flagged = await guard.flags(case, shown, None, ())
        return case.refuse(declined.text) if case.ledger.flagged else await case.answer()

    prompts = {**form.prompts, "refusal": declined.version, "joined": both.version}
    return defended("ocr_guard", defend, prompts=prompts, on_failure=on_failure, seed=seed)


def _timed(read: Ocr, picture: Any) -> tuple[list[str], float]:
    """The lines, and the seconds that reading them took, without waiting for a thread."""
    began = time.perf_counter()
    return read(picture), time.perf_counter() - began
