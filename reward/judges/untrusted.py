"""Takes the power from untrusted text: what could pass for a fence, a role, a control token or a verdict is broken by `MARK`.

The mark goes behind the first character of whatever is dangerous, so that the text stays readable and nothing dangerous is left or
arises: no pattern matches across a mark, and the text's own marks are replaced. Found are control tokens of the usual chat
templates, fence-like markers, role labels and headings at the beginning of a line, and the form of a judge's own verdict, each also
in look-alike characters (`folding.py`) and with unseen characters inside. Characters that hide or reorder text become the mark.
A text that is too long loses its middle, and says so. Linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from reward.judges.folding import fold
from rl_align.transcript.neutralise import neutralise

#: What stands where something was made harmless. Prompts explain it; no text can forge it.
MARK = "\u2298"
_INSTEAD = "\u25cb"

_ROLES = "system user assistant human developer judge grader evaluator ai"
_ROLE = f"(?:{'|'.join(_ROLES.split())})"
_LABEL = rf"{_ROLE}(?:[ \t_-]{{1,3}}(?:message|prompt|note|user|assistant|instructions?|override|update))?"
_TAGS = (
    "s|bos|eos|pad|unk|sop|eop|image|img|video|audio|start_of_turn|end_of_turn|start_of_image|end_of_image|think|thinking|"
    f"reasoning|answer|result|verdict|instructions?|tool|tool_call|tool_response|material|untrusted|sys|{_ROLE}"
)
_BRACKETED = (
    "INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX|MIDDLE|THINK|"
    r"ARGS|gMASK|UNUSED_TOKEN_\d{1,4}"
)
_PARTS = "material|prompt|request|answer|response|rewrite|reference|assessment|untrusted|input|data"
#: What may lead up to the first word of a line.
_LEAD = r"(?:[^\w\n]|_)*"
#: Where a line begins for a reader, besides behind a line end: behind one that is spelt out.
_SPELT_OUT = re.compile(r"\\[nr]", re.IGNORECASE)


class _Danger(NamedTuple):
    """One kind of danger.

    Attributes:
        pattern: Its form; the mark goes behind `at`. Bounded, and takes one character besides what leads up to it, so that
            overlapping ones are all found, in linear time.
        needs: Groups of words; in a text that, in lower case, has none of a group, nothing is looked for. Most texts lack one.
        lines: Whether it stands where a line begins, and is looked for nowhere else.
    """

    pattern: re.Pattern[str]
    needs: tuple[tuple[str, ...], ...]
    lines: bool = False


def _danger(pattern: str, *needs: str, flags: int = re.IGNORECASE, lines: bool = False) -> _Danger:
    return _Danger(re.compile(pattern, re.MULTILINE | flags), tuple(tuple(group.split()) for group in needs), lines)


_DANGERS = (
    _danger(r"(?P<at><)(?=[ \t]{0,3}\|[^\n]{0,64}?\|[ \t]{0,3}>)", "<", "|", flags=0),
    _danger(rf"(?P<at><)(?=[ \t]{{0,3}}/?[ \t]{{0,3}}(?:{_TAGS})(?:[ \t][^<>\n]{{0,60}})?/?>)", "<", ">"),
    _danger(rf"(?P<at>\[)(?=[ \t]{{0,3}}/?[ \t]{{0,3}}(?:{_BRACKETED})[ \t]{{0,3}}\])", "[", "]", flags=0),
    _danger(r"[<=\[*#~-]{2}[ \t]{0,8}/?[ \t]{0,8}(?P<at>[bef])(?=(?:egin|nd|ence)\b)", "egin nd ence", "< = [ * # ~ -"),
    _danger(rf"{_LEAD}(?P<at>[be])(?=(?:egin|nd)(?:ning)?[ \t](?:of[ \t])?(?:the[ \t])?(?:{_PARTS})\b)", "egin nd", lines=True),
    _danger(rf"{_LEAD}(?={_LABEL}(?:[^\w\n]|_)*(?::|$))(?P<at>\w)", _ROLES, lines=True),
    _danger(r"(?=(?:USER|SYSTEM|ASSISTANT|HUMAN)[ \t]{0,3}:)(?P<at>\w)", "user system assistant human", ":", flags=0),
    _danger(
        rf"^[^\w\n#]*#(?:[^\w\n]|_)*(?=(?:{_ROLE}|instructions?|response|input|verdict)\b)(?P<at>\w)",
        "#", f"{_ROLES} instruction response input verdict",
    ),
    _danger(r"(?P<at>v)(?=erdict(?:[^\w\n]|_){0,8}?[:=])", "verdict", ": ="),
    _danger(
        r"(?P<at>[rc])(?=(?:equest|esponse|ompletion)[ \t]{0,4}:[ \t]{0,4}(?:(?:un)?harm|refus|compl))",
        "equest esponse ompletion", ":", "harm refus compl",
    ),
)  # fmt: skip

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
#: Unseen characters of ordinary typography. Joiners are kept between characters that they may join: not next to ASCII.
_TYPOGRAPHY = re.compile(
    r"[\u00ad\u034f\u061c\u180b-\u180f\u200b\u200e\u200f\u2060\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef]"
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
#: Controls, overrides of the reading direction, tags that spell out hidden ASCII, letters without a shape.
_HIDING = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u115f\u1160\u17b4\u17b5\u2028-\u202e\u2061-\u206f\u2800\u3164\uffa0\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]+"
)


def disarm(text: str, limit: int, special_tokens: Sequence[str] = ()) -> str:
    """The text as a judge may read it. Never raises.

    Args:
        text: Anything at all, lone surrogates included.
        limit: Longest text; of a longer one the first and the last half of this are kept.
        special_tokens: Tokens to break beside the usual ones.
    """
    omitted = len(text) - limit
    if omitted <= 0:
        return _disarmed(text, special_tokens)
    half = limit // 2
    head, tail = text[: limit - half], text[len(text) - half :]
    said = f"\n{MARK} {omitted} characters are left out here {MARK}\n"
    return _disarmed(head, special_tokens) + said + _disarmed(tail, special_tokens)


def dangers(text: str) -> list[int]:
    """Indices of the characters behind which a mark is due, ascending; empty for a text that `disarm` has been through."""
    folded, origin = fold(text)
    small, starts = folded.lower(), None
    found: set[int] = set()
    for pattern, needs, lines in _DANGERS:
        if not all(any(word in small for word in group) for group in needs):
            continue
        if lines:
            starts = starts or _line_starts(folded)
            found.update(m.start("at") for start in starts if (m := pattern.match(folded, start)))
        else:
            found.update(m.start("at") for m in pattern.finditer(folded))
    return sorted(found if origin is None else {origin[i] for i in found})


def _line_starts(text: str) -> list[int]:
    """Where lines begin for a reader."""
    starts, at = [0], text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return [*starts, *(m.end() for m in _SPELT_OUT.finditer(text))] if "\\" in text else starts


def _disarmed(text: str, special_tokens: Sequence[str]) -> str:
    # Seams first: a token must not arise from what is taken out of its middle.
    text = text.replace(MARK, _INSTEAD)
    if not (text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()):
        text = _LINE_ENDS.sub("\n", text)
        if not text.isascii():
            text = _TYPOGRAPHY.sub("", _SURROGATES.sub("\ufffd", text))
        text = _HIDING.sub(MARK, text)
    if special_tokens:
        text = neutralise(text, special_tokens)
    parts, done = [], 0
    for index in dangers(text):
        parts += [text[done : index + 1], MARK]
        done = index + 1
    return "".join([*parts, text[done:]])
