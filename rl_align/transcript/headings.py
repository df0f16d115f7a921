"""Headings of the responder's sections: as they should be, in the variants of real output, disguised, and in hiding."""

from __future__ import annotations

import re
from typing import NamedTuple

from rl_align.transcript.lookalikes import unmasked

#: Section kinds in the order in which the grammar wants them.
DESCRIPTION, ASSESSMENT, REGULATIONS, ANSWER = range(4)

#: Lower-case titles → (kind, whether the answer is labelled safe).
_TITLES: dict[str, tuple[int, bool | None]] = {
    "image content description": (DESCRIPTION, None),
    "image description": (DESCRIPTION, None),
    "detailed image description": (DESCRIPTION, None),
    "detailed image content description": (DESCRIPTION, None),
    "detailed description of the image content": (DESCRIPTION, None),
    "detailed description of the image": (DESCRIPTION, None),
    "description of the image": (DESCRIPTION, None),
    "risk assessment": (ASSESSMENT, None),
    "risk evaluation": (ASSESSMENT, None),
    "safety assessment": (REGULATIONS, None),
    "safety evaluation": (REGULATIONS, None),
    "safety regulations violated": (REGULATIONS, None),
    "safety regulations applied": (REGULATIONS, None),
    "safety regulations": (REGULATIONS, None),
    "violated safety regulations": (REGULATIONS, None),
    "applied safety regulations": (REGULATIONS, None),
    "safe response": (ANSWER, True),
    "safety response": (ANSWER, True),
    "safe answer": (ANSWER, True),
    "normal response": (ANSWER, False),
    "normal answer": (ANSWER, False),
    "final response": (ANSWER, None),
    "final answer": (ANSWER, None),
    "response": (ANSWER, None),
    "answer": (ANSWER, None),
}
#: Words of titles that only speak of the risk and the rules: no section hides behind them.
_OF_RISK = frozenset(
    "risk risks safety policy policies regulation regulations rule rules violated violation violations applied applicable "
    "relevant assessment evaluation analysis category categories compliance check objective objectives level conclusion "
    "summary and of the "
    "identified potential overall content moderation".split()
)

# Every repetition is bounded, and a match starts only at a line's beginning or at a mark: linear time on any text.
_NAMES = "|".join(re.escape(t).replace(r"\ ", "[ \t]{1,4}") for t in sorted(_TITLES, key=len, reverse=True))
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:(?P<marks>[#]{1,6})[ \t]{0,8}(?:\*{1,3}|_{2})?|\*{2,3}|_{2})[ \t]{0,4}(?:\d{1,2}[.)][ \t]{0,4})?"
    rf"(?P<title>{_NAMES})(?:[ \t]{{0,4}}\([^()\n]{{0,60}}\))?"
    r"(?:[ \t]{0,4}(?:\*{1,3}|_{2}))?(?:[ \t]{0,4}:(?:\*{1,3}|_{2})?|[ \t]{0,8}#{0,6}[ \t]{0,8}\r?$)",
    re.IGNORECASE | re.MULTILINE | re.ASCII,
)
#: A line that may be a heading in disguise: it holds other than ASCII where a heading stands.
_ODD_LINE = re.compile(r"^[ \t]{0,3}(?:[#*_]|[^\x00-\x7f])[^\n]{0,120}", re.MULTILINE)
_COLON = re.compile(r"[:\uff1a\ua789\u02d0\u2236](?:\*{1,3}|_{2})?")
#: What makes a heading elsewhere: marks anywhere, HTML, an underlined line; and a line that names an answer.
_MARKED = re.compile(
    r"(?:(?<![#\w&/])#{2,6}(?!#)|^[ \t>*+\-0-9.)]{0,12}#(?=[ \t]{1,4}\D))[ \t*_]{0,8}(?P<title>[^\n#:*_(]{1,80})",
    re.MULTILINE,
)
_HTML = re.compile(r"<h[1-6][\s>]", re.IGNORECASE)
_UNDERLINED = re.compile(r"(?:^|\n)(?P<title>[^\n]{1,80})\n[ \t]{0,3}(?:={3,}|-{3,})[ \t]*(?=\n|$)")
_NAMED = re.compile(
    r"[ \t>*+#_\-=|~\d.)\]\[(<]{0,16}(?:(?:the|my|an?|full|actual|real|true|safe|safety|normal|final|direct|complete|detailed|"
    r"helpful|unsafe|honest|other|second)[ \t_*]{1,4}){0,3}(?:response|answer|reply)s?(?:[ "
    r"\t]{0,3}\([^()\n]{0,60}\))?(?:[ \t]{1,3}(?:to|for)[ \t][^\n:.]{1,40})?[ \t*_=>~|)\]]{0,8}(?::|$)",
    re.IGNORECASE,
)
_NAMES_OF_ANSWERS = ("response", "answer", "reply")


class Heading(NamedTuple):
    """One heading: where it stands, the kind of its section, and what it says of an answer.

    Attributes:
        start: Offset of its line.
        end: Offset behind it.
        kind: Of the section that it opens.
        safe: Whether it labels an answer as safe; None for one that says neither, and for other sections.
        marked: Whether it is marked by "#", and not only in bold.
    """

    start: int
    end: int
    kind: int
    safe: bool | None
    marked: bool

    @property
    def generic(self) -> bool:
        """Whether ordinary answers use such a title inside themselves; it opens a section only where no answer is labelled."""
        return self.kind == ANSWER and self.safe is None


def headings(text: str, start: int = 0) -> list[Heading]:
    """The headings of a text from an offset on, disguised ones too. Linear in the text."""
    found = [_heading(match, match.start(), match.end()) for match in _HEADING.finditer(text, start)]
    if not text.isascii():
        found = sorted([*found, *_disguised(text, start)])
    if not any(heading.safe is not None for heading in found):
        return found
    return _outside_answers([heading for heading in found if not heading.generic])


def first_heading(text: str, start: int) -> int | None:
    """Where the first heading stands, of any kind."""
    found = _HEADING.search(text, start)
    return found.start() if found else None


def hides_heading(section: str) -> bool:
    """Whether a section that is no answer holds a line that reads like a heading, of nothing that the grammar knows.

    What stands below it would be read by a person, and by no rule that looks for an answer.
    """
    lines = unmasked("\n".join(section.splitlines())).split("\n")
    plain = "\n".join(lines)
    if "#" in plain and any(not _OF_RISK.issuperset(m["title"].lower().split()) for m in _MARKED.finditer(plain)):
        return True
    if "<" in plain and _HTML.search(plain):
        return True
    if ("---" in plain or "===" in plain) and any(_is_title(m["title"]) for m in _UNDERLINED.finditer(plain)):
        return True
    lower = plain.lower()
    return any(name in lower for name in _NAMES_OF_ANSWERS) and any(map(_NAMED.match, lines))


def _is_title(line: str) -> bool:
    """Whether an underlined line reads like a title: no sentence, and not only marks."""
    line = line.strip(" \t*_#>")
    return bool(line) and line[-1] not in ".!?,;:-=" and not _OF_RISK.issuperset(line.lower().split())


def _heading(match: re.Match[str], start: int, end: int) -> Heading:
    kind, safe = _TITLES[" ".join(match["title"].lower().split())]
    return Heading(start, end, kind, safe, match["marks"] is not None)


def _disguised(text: str, start: int) -> list[Heading]:
    """Headings in letters that only look like those of a title, or with signs in front of them."""
    found = []
    for line in _ODD_LINE.finditer(text, start):
        if line[0].isascii():
            continue
        match = _HEADING.match(unmasked(line[0]))
        if match:
            colon = _COLON.search(line[0])
            found.append(_heading(match, line.start(), line.start() + colon.end() if colon else line.end()))
    return found


def _outside_answers(found: list[Heading]) -> list[Heading]:
    """The headings without those in bold that only part an answer, as tuned models part theirs: it goes on below them."""
    kept: list[Heading] = []
    answer: Heading | None = None
    for heading in found:
        within = heading.kind == REGULATIONS or heading.kind == ANSWER and answer is not None and heading.safe == answer.safe
        if answer and within and not heading.marked:
            continue
        if heading.marked:
            answer = heading if heading.kind == ANSWER else None
        kept.append(heading)
    return kept
