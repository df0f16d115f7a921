"""The responder's transcript, in the format of MSR-Align (arXiv 2506.19257): thinking, description, assessment, answer.

Canonical form::

    <think>
    …
    </think>
    ### Image Content Description
    …
    ### Risk Assessment
    …
    ### Safe Response          or ### Normal Response
    …

Parsing accepts the variants that models tuned on MSR-Align write: other heading levels, bold headings, numbers, colons
with or without text after them, "(Per Safety Regulations)", other section names, extra sections on the regulations.
Such variants are no problem; a part that is missing, empty, repeated or out of place is.
"""

from __future__ import annotations

import re
from dataclasses import replace

from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.policy.citations import find_citations
from rl_align.schema import Behaviour, Response
from rl_align.transcript.behaviour import Shown, delivers, show
from rl_align.transcript.headings import ANSWER, ASSESSMENT, DESCRIPTION, REGULATIONS, first_heading, headings, hides_heading

TEXT_BEFORE_THINK = "text_before_think"
THINK_MISSING = "think_missing"
THINK_NOT_OPENED = "think_not_opened"
THINK_UNCLOSED = "think_unclosed"
THINK_EMPTY = "think_empty"
THINK_REPEATED = "think_repeated"
TEXT_BEFORE_SECTIONS = "text_before_sections"
DESCRIPTION_MISSING = "description_missing"
DESCRIPTION_EMPTY = "description_empty"
DESCRIPTION_REPEATED = "description_repeated"
ASSESSMENT_MISSING = "assessment_missing"
ASSESSMENT_EMPTY = "assessment_empty"
ASSESSMENT_REPEATED = "assessment_repeated"
ANSWER_MISSING = "answer_missing"
ANSWER_EMPTY = "answer_empty"
ANSWER_REPEATED = "answer_repeated"
ANSWER_UNLABELLED = "answer_unlabelled"
SECTIONS_OUT_OF_ORDER = "sections_out_of_order"
UNKNOWN_SECTION = "unknown_section"
DELIVERY_OUTSIDE_ANSWER = "delivery_outside_answer"

# Every repetition is bounded, and a match starts only at "<": linear time on any text.
_THINK = re.compile(r"<(/?)think(?:ing)?[ \t]{0,8}>", re.IGNORECASE | re.ASCII)


def render_response(*, think: str, description: str, assessment: str, answer: str, safe: bool) -> str:
    """The canonical transcript of these parts; `parse_response` reads the same parts back, stripped.

    Args:
        think: The reasoning.
        description: What the image shows.
        assessment: The risk, citing rules as `policy_name (Rule n)`.
        answer: The text for the person.
        safe: Whether the answer stands under "Safe Response" (refusals and safe completions) or "Normal Response".

    Raises:
        UserError: A part is empty or holds a thinking tag or a section heading.
    """
    parts = {"think": think, "description": description, "assessment": assessment, "answer": answer}
    for name, text in parts.items():
        if not _says(text):
            raise UserError(f"the {name} of a transcript is empty", expected="text")
        if marker := _marker(text.strip(), name):
            raise UserError(f"the {name} of a transcript holds {marker!r}, a marker of the grammar", fix="reword it")
    parts = {name: text.strip() for name, text in parts.items()}
    heading = "### Safe Response" if safe else "### Normal Response"
    return (
        f"<think>\n{parts['think']}\n</think>\n### Image Content Description\n{parts['description']}\n"
        f"### Risk Assessment\n{parts['assessment']}\n{heading}\n{parts['answer']}"
    )


def parse_response(text: str, catalogue: Catalogue | None = None, think_open: bool = False, prompt: str | None = None) -> Response:
    """Parses a responder's text. Never raises; linear in its length.

    Several answers are joined, since the person would read them all, and count as the least guarded of them. Sections
    on the regulations belong to the assessment. A description or an assessment that hands over what the answer does not
    makes the whole comply.

    Args:
        text: The text as generated, special tokens removed.
        catalogue: Policies that citations are looked up in; the package's own by default.
        think_open: Whether the prompt ends in an opening thinking tag, so that the text starts inside it.
        prompt: What was asked, where it is known: some answers refuse only in its light.
    """
    problems: list[str] = []
    think, before, body_start = _split_think(text, think_open, problems)
    found = headings(text, body_start)
    between = text[body_start : found[0].start if found else len(text)].strip()
    if between:
        problems.append(TEXT_BEFORE_SECTIONS)

    bodies: list[list[str]] = [[], [], [], []]
    answers: list[tuple[str, bool | None]] = []
    last_kind, in_order = DESCRIPTION, True
    for i, heading in enumerate(found):
        body = text[heading.end : found[i + 1].start if i + 1 < len(found) else len(text)].strip()
        bodies[heading.kind].append(body)
        if heading.kind == ANSWER:
            answers.append((body, heading.safe))
        in_order &= heading.kind >= last_kind
        last_kind = heading.kind
    if not in_order:
        problems.append(SECTIONS_OUT_OF_ORDER)

    description = _joined(bodies[DESCRIPTION], problems, DESCRIPTION_MISSING, DESCRIPTION_EMPTY, DESCRIPTION_REPEATED)
    if len(bodies[ASSESSMENT]) > 1:
        problems.append(ASSESSMENT_REPEATED)
    assessment = _joined(bodies[ASSESSMENT] + bodies[REGULATIONS], problems, ASSESSMENT_MISSING, ASSESSMENT_EMPTY)
    answer = _joined(bodies[ANSWER], problems, ANSWER_MISSING, ANSWER_EMPTY, ANSWER_REPEATED)
    if any(safe is None for _, safe in answers):
        problems.append(ANSWER_UNLABELLED)
    if hides_heading(f"{description or ''}\n{assessment or ''}"):
        problems.append(UNKNOWN_SECTION)
    shown = _least_guarded(answers, prompt)
    if shown and shown.behaviour is not Behaviour.COMPLY and delivers(description, assessment):
        problems.append(DELIVERY_OUTSIDE_ANSWER)
        shown = Shown(Behaviour.COMPLY)
    return Response(
        raw=text,
        think=think,
        description=description,
        assessment=assessment,
        answer=answer,
        citations=find_citations(assessment, catalogue or Catalogue.load()) if assessment else (),
        behaviour=shown.behaviour if shown else None,
        problems=tuple(problems),
        stray=f"{before}\n{between}".strip() if before or between else "",
        **_facts(shown),
    )


def parse_answer(text: str, catalogue: Catalogue | None = None, prompt: str | None = None) -> Response:
    """Parses a text of any model: by the grammar where it shows any of it, else all of it is the answer. Never raises.

    Args:
        text: The text as generated.
        catalogue: Policies that citations are looked up in; the package's own by default.
        prompt: What was asked, where it is known.
    """
    response = parse_response(text, catalogue, prompt=prompt)
    begun = response.think is not None or response.description is not None or response.assessment is not None
    if response.answer is not None or begun or THINK_UNCLOSED in response.problems or not text.strip():
        return response
    shown = show(text, None, prompt)
    return replace(response, answer=text.strip(), stray="", behaviour=shown.behaviour, **_facts(shown))


def _marker(text: str, part: str) -> str | None:
    """What of a part would be read as a marker of the grammar: a thinking tag, or a heading."""
    tag = _THINK.search(text)
    if tag:
        return tag.group()
    heading = next((h for h in headings(text) if not h.generic), None)
    if heading:
        return text[heading.start : heading.end].strip()
    return "a heading" if part in ("description", "assessment") and hides_heading(text) else None


def _facts(shown: Shown | None) -> dict[str, bool]:
    if shown is None:
        return {}
    return {
        "fake_refusal": shown.fake_refusal, "declines": shown.declines, "redirects": shown.redirects, "evades": shown.evades
    }  # fmt: skip


def _split_think(text: str, think_open: bool, problems: list[str]) -> tuple[str | None, str, int]:
    """The thinking, what stands before it, and the offset at which the sections begin."""
    tags = list(_THINK.finditer(text))
    opening = next((t for t in tags if not t[1]), None)
    closing = next((t for t in tags if t[1] and (think_open or not opening or t.start() >= opening.end())), None)
    before = ""
    if think_open:
        opening, start = None, 0
        expected = [closing]
    else:
        start = opening.end() if opening else 0
        expected = [opening, closing]
        if opening and (before := text[: opening.start()].strip()):
            problems.append(TEXT_BEFORE_THINK)
        if not opening:
            problems.append(THINK_NOT_OPENED if closing else THINK_MISSING)
            if not closing:
                return None, before, 0
    if len(tags) > sum(t is not None for t in expected):
        problems.append(THINK_REPEATED)
    if closing:
        end, body_start = closing.start(), closing.end()
    else:
        problems.append(THINK_UNCLOSED)
        heading = first_heading(text, start)
        end = body_start = len(text) if heading is None else heading
    think = text[start:end].strip()
    if not _says(think):
        problems.append(THINK_EMPTY)
    return think, before, body_start


def _joined(bodies: list[str], problems: list[str], missing: str, empty: str, repeated: str | None = None) -> str | None:
    if not bodies:
        problems.append(missing)
        return None
    if repeated and len(bodies) > 1:
        problems.append(repeated)
    text = "\n".join(b for b in bodies if b)
    if not _says(text):
        problems.append(empty)
    return text


def _says(text: str) -> bool:
    """Whether a part holds a letter or a digit."""
    return any(map(str.isalnum, text))


def _least_guarded(answers: list[tuple[str, bool | None]], prompt: str | None) -> Shown | None:
    shown = [show(body, safe, prompt) for body, safe in answers if body]
    order = (Behaviour.COMPLY, Behaviour.SAFE_COMPLETE, Behaviour.REFUSE)
    return min(shown, key=lambda one: (order.index(one.behaviour), not one.fake_refusal), default=None)
