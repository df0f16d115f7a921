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
from rl_align.transcript.behaviour import Shown, show

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

#: Section kinds in the order in which the grammar wants them.
_DESCRIPTION, _ASSESSMENT, _REGULATIONS, _ANSWER = range(4)

#: Lower-case titles → (kind, whether the answer is labelled safe).
_TITLES: dict[str, tuple[int, bool | None]] = {
    "image content description": (_DESCRIPTION, None),
    "image description": (_DESCRIPTION, None),
    "detailed image description": (_DESCRIPTION, None),
    "detailed image content description": (_DESCRIPTION, None),
    "detailed description of the image content": (_DESCRIPTION, None),
    "detailed description of the image": (_DESCRIPTION, None),
    "description of the image": (_DESCRIPTION, None),
    "risk assessment": (_ASSESSMENT, None),
    "risk evaluation": (_ASSESSMENT, None),
    "safety assessment": (_REGULATIONS, None),
    "safety evaluation": (_REGULATIONS, None),
    "safety regulations violated": (_REGULATIONS, None),
    "safety regulations applied": (_REGULATIONS, None),
    "safety regulations": (_REGULATIONS, None),
    "violated safety regulations": (_REGULATIONS, None),
    "applied safety regulations": (_REGULATIONS, None),
    "safe response": (_ANSWER, True),
    "safety response": (_ANSWER, True),
    "safe answer": (_ANSWER, True),
    "normal response": (_ANSWER, False),
    "normal answer": (_ANSWER, False),
    "final response": (_ANSWER, None),
    "final answer": (_ANSWER, None),
    "response": (_ANSWER, None),
    "answer": (_ANSWER, None),
}

#: Titles that ordinary answers use inside themselves; they open a section only in a text without a labelled answer.
_GENERIC = (_ANSWER, None)

# Every repetition is bounded, and a match starts only at a line's beginning or at "<": linear time on any text.
_THINK = re.compile(r"<(/?)think(?:ing)?[ \t]{0,8}>", re.IGNORECASE | re.ASCII)
_NAMES = "|".join(re.escape(t).replace(r"\ ", "[ \t]{1,4}") for t in sorted(_TITLES, key=len, reverse=True))
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:[#]{1,6}[ \t]{0,8}(?:\*{1,3}|_{2})?|\*{2,3}|_{2})[ \t]{0,4}(?:\d{1,2}[.)][ \t]{0,4})?"
    rf"(?P<title>{_NAMES})(?:[ \t]{{0,4}}\([^()\n]{{0,60}}\))?"
    r"(?:[ \t]{0,4}(?:\*{1,3}|_{2}))?(?:[ \t]{0,4}:(?:\*{1,3}|_{2})?|[ \t]{0,8}#{0,6}[ \t]{0,8}\r?$)",
    re.IGNORECASE | re.MULTILINE | re.ASCII,
)


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
        if not text.strip():
            raise UserError(f"the {name} of a transcript is empty", expected="text")
        marker = _THINK.search(text) or next((h for h in _HEADING.finditer(text.strip()) if _kind(h) != _GENERIC), None)
        if marker:
            raise UserError(
                f"the {name} of a transcript holds {marker.group().strip()!r}, a marker of the grammar",
                fix="reword it",
            )
    parts = {name: text.strip() for name, text in parts.items()}
    heading = "### Safe Response" if safe else "### Normal Response"
    return (
        f"<think>\n{parts['think']}\n</think>\n### Image Content Description\n{parts['description']}\n"
        f"### Risk Assessment\n{parts['assessment']}\n{heading}\n{parts['answer']}"
    )


def parse_response(text: str, catalogue: Catalogue | None = None, think_open: bool = False) -> Response:
    """Parses a responder's text. Never raises; linear in its length.

    Several answers are joined, since the person would read them all, and count as the least guarded of them. Sections
    on the regulations belong to the assessment.

    Args:
        text: The text as generated, special tokens removed.
        catalogue: Policies that citations are looked up in; the package's own by default.
        think_open: Whether the prompt ends in an opening thinking tag, so that the text starts inside it.
    """
    problems: list[str] = []
    think, body_start = _split_think(text, think_open, problems)
    headings = _headings(text, body_start)
    if text[body_start : headings[0].start() if headings else len(text)].strip():
        problems.append(TEXT_BEFORE_SECTIONS)

    bodies: list[list[str]] = [[], [], [], []]
    answers: list[tuple[str, bool | None]] = []
    last_kind, in_order = _DESCRIPTION, True
    for i, match in enumerate(headings):
        kind, safe = _kind(match)
        body = text[match.end() : headings[i + 1].start() if i + 1 < len(headings) else len(text)].strip()
        bodies[kind].append(body)
        if kind == _ANSWER:
            answers.append((body, safe))
        in_order &= kind >= last_kind
        last_kind = kind
    if not in_order:
        problems.append(SECTIONS_OUT_OF_ORDER)

    description = _joined(bodies[_DESCRIPTION], problems, DESCRIPTION_MISSING, DESCRIPTION_EMPTY, DESCRIPTION_REPEATED)
    if len(bodies[_ASSESSMENT]) > 1:
        problems.append(ASSESSMENT_REPEATED)
    assessment = _joined(bodies[_ASSESSMENT] + bodies[_REGULATIONS], problems, ASSESSMENT_MISSING, ASSESSMENT_EMPTY)
    answer = _joined(bodies[_ANSWER], problems, ANSWER_MISSING, ANSWER_EMPTY, ANSWER_REPEATED)
    if any(safe is None for _, safe in answers):
        problems.append(ANSWER_UNLABELLED)
    shown = _least_guarded(answers)
    return Response(
        raw=text,
        think=think,
        description=description,
        assessment=assessment,
        answer=answer,
        citations=find_citations(assessment, catalogue or Catalogue.load()) if assessment else (),
        behaviour=shown.behaviour if shown else None,
        problems=tuple(problems),
        fake_refusal=shown is not None and shown.fake_refusal,
    )


def parse_answer(text: str, catalogue: Catalogue | None = None) -> Response:
    """Parses a text of any model: by the grammar where it shows any of it, else all of it is the answer. Never raises.

    Args:
        text: The text as generated.
        catalogue: Policies that citations are looked up in; the package's own by default.
    """
    response = parse_response(text, catalogue)
    begun = response.think is not None or response.description is not None or response.assessment is not None
    if response.answer is not None or begun or THINK_UNCLOSED in response.problems or not text.strip():
        return response
    behaviour, fake = show(text, None)
    return replace(response, answer=text.strip(), behaviour=behaviour, fake_refusal=fake)


def _kind(heading: re.Match[str]) -> tuple[int, bool | None]:
    return _TITLES[" ".join(heading["title"].lower().split())]


def _headings(text: str, start: int) -> list[re.Match[str]]:
    headings = list(_HEADING.finditer(text, start))
    labelled = any(_kind(h)[1] is not None for h in headings)
    return [h for h in headings if _kind(h) != _GENERIC] if labelled else headings


def _split_think(text: str, think_open: bool, problems: list[str]) -> tuple[str | None, int]:
    """The thinking and the offset at which the sections begin."""
    tags = list(_THINK.finditer(text))
    opening = next((t for t in tags if not t[1]), None)
    closing = next((t for t in tags if t[1] and (think_open or not opening or t.start() >= opening.end())), None)
    if think_open:
        opening, start = None, 0
        expected = [closing]
    else:
        start = opening.end() if opening else 0
        expected = [opening, closing]
        if opening and text[: opening.start()].strip():
            problems.append(TEXT_BEFORE_THINK)
        if not opening:
            problems.append(THINK_NOT_OPENED if closing else THINK_MISSING)
            if not closing:
                return None, 0
    if len(tags) > sum(t is not None for t in expected):
        problems.append(THINK_REPEATED)
    if closing:
        end, body_start = closing.start(), closing.end()
    else:
        problems.append(THINK_UNCLOSED)
        heading = _HEADING.search(text, start)
        end = body_start = heading.start() if heading else len(text)
    think = text[start:end].strip()
    if not think:
        problems.append(THINK_EMPTY)
    return think, body_start


def _joined(
    bodies: list[str], problems: list[str], missing: str, empty: str, repeated: str | None = None
) -> str | None:
    if not bodies:
        problems.append(missing)
        return None
    if repeated and len(bodies) > 1:
        problems.append(repeated)
    text = "\n".join(b for b in bodies if b)
    if not text:
        problems.append(empty)
    return text


def _least_guarded(answers: list[tuple[str, bool | None]]) -> Shown | None:
    shown = [show(body, safe) for body, safe in answers if body]
    order = (Behaviour.COMPLY, Behaviour.SAFE_COMPLETE, Behaviour.REFUSE)
    return min(shown, key=lambda one: (order.index(one.behaviour), not one.fake_refusal), default=None)
