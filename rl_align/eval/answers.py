"""Which part of a generated text is judged: what the person would take for the answer.

* A transcript of this project's grammar: its answer sections, joined (`transcript/responder.py`).
* Any other text: all of it, behind the thinking where that is tagged.

A text is a transcript when it has a labelled answer ("Safe Response", "Normal Response"), or two of thinking, description and
assessment. A heading such as "Answer" alone makes none: whatever an ordinary text says before it is read by the person, too. A
transcript without an answer, and thinking that never ends, leave nothing to judge: that is counted apart, as empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rl_align.schema import Response
from rl_align.transcript.responder import ANSWER_UNLABELLED, parse_response

#: Where the judged text comes from.
SECTION, WHOLE, NONE = "section", "whole", "none"

_TAG = re.compile(r"<(/?)think(?:ing)?[ \t]{0,8}>", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Answer:
    """What is judged of a text.

    Attributes:
        text: The judged text, stripped; empty where there is nothing.
        form: SECTION, WHOLE, or NONE where there is nothing to judge.
        problems: Departures from the grammar, of a transcript.
    """

    text: str
    form: str
    problems: tuple[str, ...] = ()


def answer_of(text: str) -> Answer:
    """What is judged of a generated text. Never raises; linear in its length."""
    response = parse_response(text)
    if _is_transcript(response):
        answer = (response.answer or "").strip()
        return Answer(answer, SECTION if answer else NONE, response.problems)
    rest = _behind_thinking(text).strip()
    return Answer(rest, WHOLE if rest else NONE)


def _is_transcript(response: Response) -> bool:
    if response.answer is not None and ANSWER_UNLABELLED not in response.problems:
        return True
    return sum(part is not None for part in (response.think, response.description, response.assessment)) >= 2


def _behind_thinking(text: str) -> str:
    """What stands behind the first thinking that ends; nothing where it never does.

    The first end counts: a text that goes on to write another one would hide from the judge what stands before it.
    """
    opened = False
    for tag in _TAG.finditer(text):
        if tag[1]:
            return text[tag.end() :]
        opened = True
    return "" if opened else text
