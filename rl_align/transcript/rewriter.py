"""The rewriter's transcript, after the three steps of VLMGuard-R1 (arXiv 2504.12661): threat, intent, rewrite.

Canonical form::

    <threat>
    text: …
    image: …
    joint: …
    policy: policy_name (Rule n)        or: policy: none
    </threat>
    <intent>
    …
    </intent>
    <rewrite>
    …
    </rewrite>
"""

from __future__ import annotations

import re

from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.policy.citations import find_citations
from rl_align.schema import Citation, Rewrite

SECTIONS = ("threat", "intent", "rewrite")
MODALITIES = ("text", "image", "joint")

#: Problems are these, and `<section>_missing`, `_unclosed`, `_empty`, `_repeated` for each section.
SECTIONS_OUT_OF_ORDER = "sections_out_of_order"
TEXT_OUTSIDE_SECTIONS = "text_outside_sections"
THREAT_LINES_MISSING = "threat_lines_missing"
THREAT_LINES_REPEATED = "threat_lines_repeated"
POLICY_MISSING = "policy_missing"
POLICY_UNREADABLE = "policy_unreadable"

#: How endpoints and Inspect say that a text was cut off.
CUT_OFF = frozenset({"length", "max_tokens", "model_length"})
#: Without its end a rewrite may be half of one; of two, nobody knows which is meant.
UNUSABLE = frozenset({"rewrite_unclosed", "rewrite_repeated"})

_TAG = re.compile(r"<(/?)(threat|intent|rewrite)[ \t]{0,8}>", re.IGNORECASE | re.ASCII)
_LINE = re.compile(
    r"^[ \t]{0,8}(?:[-*][ \t]{1,4})?\*{0,2}(text|image|joint|policy)\*{0,2}[ \t]{0,4}:(.*)$",
    re.IGNORECASE | re.MULTILINE | re.ASCII,
)
_NONE = re.compile(r"(?:none|no policy|n/?a|null|-|no)?[.!]?\Z", re.IGNORECASE | re.ASCII)


def render_rewrite(*, text: str, image: str, joint: str, policy: Citation | None, intent: str, rewrite: str) -> str:
    """The canonical transcript of these parts; `parse_rewrite` reads the same parts back, stripped.

    Args:
        text: Risk in the text, one line ("none" where there is none).
        image: Risk in the image, one line.
        joint: Risk of both together, one line.
        policy: The policy at risk, known to the catalogue; None when there is none.
        intent: What the person legitimately wants.
        rewrite: The prompt handed on.

    Raises:
        UserError: A part is empty, holds a tag of the grammar, or a risk takes more than one line.
    """
    parts = {"text": text, "image": image, "joint": joint, "intent": intent, "rewrite": rewrite}
    for name, part in parts.items():
        if not part.strip():
            raise UserError(f"the {name} of a rewrite is empty", expected="text")
        if tag := _TAG.search(part):
            raise UserError(f"the {name} of a rewrite holds {tag.group()!r}, a marker of the grammar", fix="reword it")
        if name in MODALITIES and "\n" in part.strip():
            raise UserError(f"the {name} risk of a rewrite takes more than one line", expected="one line")
    parts = {name: part.strip() for name, part in parts.items()}
    return (
        f"<threat>\ntext: {parts['text']}\nimage: {parts['image']}\njoint: {parts['joint']}\n"
        f"policy: {'none' if policy is None else policy}\n</threat>\n"
        f"<intent>\n{parts['intent']}\n</intent>\n<rewrite>\n{parts['rewrite']}\n</rewrite>"
    )


def parse_rewrite(text: str, catalogue: Catalogue | None = None) -> Rewrite:
    """Parses a rewriter's text. Never raises; linear in its length. Of a repeated section the last counts."""
    problems: list[str] = []
    bodies = _sections(text, problems)
    threat, policy = None, None
    if "threat" in bodies:
        threat, policy = _threat(bodies["threat"], catalogue or Catalogue.load(), problems)
    return Rewrite(
        raw=text,
        threat=threat,
        policy=policy,
        intent=bodies.get("intent"),
        rewrite=bodies.get("rewrite"),
        problems=tuple(dict.fromkeys(problems)),
    )


def usable(rewrite: Rewrite, stop: str | None) -> bool:
    """Whether a rewrite may be handed on: it is there, there is one of it, and it is whole. Guard and measurement both ask this.

    Args:
        rewrite: The parsed transcript.
        stop: Why generation ended, as an endpoint (`finish_reason`) or Inspect (`stop_reason`) says it; None where nobody said.
    """
    return rewrite.parsed and stop not in CUT_OFF and not UNUSABLE & set(rewrite.problems)


def _sections(text: str, problems: list[str]) -> dict[str, str]:
    bodies: dict[str, str] = {}
    order: list[int] = []
    tags = list(_TAG.finditer(text))
    position = i = 0
    while i < len(tags):
        tag, name = tags[i], tags[i][2].lower()
        if text[position : tag.start()].strip() or tag[1]:
            problems.append(TEXT_OUTSIDE_SECTIONS)
        following = tags[i + 1] if i + 1 < len(tags) else None
        position = tag.end()
        i += 1
        if tag[1]:
            continue
        end = following.start() if following else len(text)
        if following and following[1] and following[2].lower() == name:
            position = following.end()
            i += 1
        else:
            problems.append(f"{name}_unclosed")
            position = end
        if name in bodies:
            problems.append(f"{name}_repeated")
        bodies[name] = text[tag.end() : end].strip()
        order.append(SECTIONS.index(name))
    if text[position:].strip():
        problems.append(TEXT_OUTSIDE_SECTIONS)
    if order != sorted(order):
        problems.append(SECTIONS_OUT_OF_ORDER)
    problems += [f"{s}_missing" if s not in bodies else f"{s}_empty" for s in SECTIONS if not bodies.get(s)]
    return bodies


def _threat(body: str, catalogue: Catalogue, problems: list[str]) -> tuple[dict[str, str], Citation | None]:
    lines: dict[str, str] = {}
    for key, value in _LINE.findall(body):
        if key.lower() in lines:
            problems.append(THREAT_LINES_REPEATED)
        lines[key.lower()] = value.strip()
    threat = {m: lines[m] for m in MODALITIES if m in lines}
    if len(threat) < len(MODALITIES) or not all(threat.values()):
        problems.append(THREAT_LINES_MISSING)
    if "policy" not in lines:
        problems.append(POLICY_MISSING)
        return threat, None
    if _NONE.match(lines["policy"]):
        return threat, None
    citations = find_citations(f"policy: {lines['policy']}", catalogue)
    if not citations:
        problems.append(POLICY_UNREADABLE)
    return threat, citations[0] if citations else None
