"""Finds the policy rules that a text cites.

A known policy is cited by its id or an alias written with underscores or hyphens, anywhere; by its id, alias or title
in any spelling where a citation stands: in quotes or Markdown emphasis, or right before "(Rule n)". A snake_case word
that names no policy is cited only where a citation stands. A rule belongs to "… of <name>" or else to the nearest name
before it. A policy that is denied right before its name ("does not violate …", "none of the rules of …") is not cited.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from rl_align.policy.catalogue import MAX_NAME, Catalogue
from rl_align.schema import Citation, Policy

#: Names, and rules, read from one text; what stands behind them cannot repair the precision of such a text.
MAX_NAMES = 256
#: Numbers read from one list or range of rules.
MAX_RULES = 16
#: Characters from a name to a rule that may still belong to it.
REACH = 200
#: Words that the name of a policy may have.
MAX_WORDS = 8
_CUE_REACH = 60

# Every repetition is bounded and every look-around sees a bounded slice: linear time on any text.
_FLAGS = re.IGNORECASE | re.ASCII
_NAME = re.compile(r"(?<![\w-])[a-z][a-z0-9]{0,40}(?:[_-][a-z0-9]{1,40}){1,12}(?![\w-])", _FLAGS)
_QUOTED = re.compile(r"[\"'`*“‘«]([a-z][a-z0-9 &_-]{2,80})[.,:]?[\"'`*”’»]", _FLAGS)
_JOIN = r"[ \t]{0,2}(?:[,;&/–-]|,?[ \t]{0,2}(?:and|or|to)\b)[ \t]{0,2}(?:rules?[ \t]{0,2})?#?"
_RULES = re.compile(
    r"\brules?[ \t]{0,2}(?:no\.?|numbers?)?[ \t]{0,2}#?"
    rf"(\d{{1,3}}(?!\d)(?:{_JOIN}\d{{1,3}}(?!\d)){{0,{MAX_RULES - 1}}})",
    _FLAGS,
)
_SPAN = re.compile(r"(\d{1,3})(?:[ \t]{0,2}(?:-|–|to\b)[ \t]{0,2}(?:rules?[ \t]{0,2})?#?(\d{1,3}))?", _FLAGS)
_OF = re.compile(r"[ \t]+(?:of|in|under|from)[ \t]+(?:the[ \t]+)?(?:polic(?:y|ies)[ \t]+)?[\"'`*“‘«]{0,3}", _FLAGS)
_WORD = re.compile(r"(?<!\w)\w+")
_BEFORE_RULE = " \t\"'`*”’»([{:,;"
_CUE_BEFORE = re.compile(
    r"(?:(?:^|\n)[ \t>*+•-]*|[\"'`*“‘«(]|\b(?:polic(?:y|ies)|categor(?:y|ies)|regulations?|violat(?:es?|ed|ing|ions?)|"
    r"breach(?:es|ed)?|cit(?:es?|ed|ing)|under)(?:[ \t]+(?:of|the|is|are))*[ \t]*:?[ \t]+)$",
    _FLAGS,
)
_DENIED = re.compile(
    r"\b(?:no|not|none|without|neither|nor|cannot|(?:do|does|is|are|did|was|were)n['’]t)"
    r"(?:[ \t]+(?:violat(?:e|es|ing|ions?)|breach(?:es)?|break|rules?|cases?|instances?|risks?|signs?|fall|match|touch|"
    r"concern|involve|apply|in|into|of|under|to|with|for|the|any|an?|it|this|policy|policies|category)){0,8}"
    r"[ \t]+[\"'`*“‘«]{0,3}$",
    _FLAGS,
)
_CUE_AFTER = re.compile(r"[\"'`*”’»]|[ \t]+(?:polic(?:y|ies)|appl(?:y|ies)|is[ \t]violated|category)\b", _FLAGS)


@dataclass
class _Mention:
    start: int
    end: int
    policy: Policy | None
    rules: list[int] = field(default_factory=list)
    listed: list[tuple[int, int, list[int]]] = field(default_factory=list)


@dataclass(frozen=True)
class Cited:
    """A name or a list of rules that cites, at `text[start:end]`, and what it cites."""

    start: int
    end: int
    citations: tuple[Citation, ...]


def find_citations(text: str, catalogue: Catalogue) -> tuple[Citation, ...]:
    """The citations of a text, in order of appearance, without repetition. Never raises; linear in the text's length.

    A policy named without a rule is `Citation(id)`, left out when the text cites a rule of that policy elsewhere. An
    unknown name is `Citation(name as written, known=False)`. The number of a rule that does not exist is kept.
    """
    citations: dict[Citation, None] = {}
    for mention in _citing(text, catalogue):
        citations |= dict.fromkeys(_citations(text, mention, mention.rules))
    ruled = {c.policy for c in citations if c.rule is not None}
    return tuple(c for c in citations if c.rule is not None or c.policy not in ruled)


def locate_citations(text: str, catalogue: Catalogue) -> tuple[Cited, ...]:
    """Where a text cites, in order. A name stands for all the rules that are cited with it, a list of rules for itself."""
    places = []
    for mention in _citing(text, catalogue):
        places.append(Cited(mention.start, mention.end, _citations(text, mention, mention.rules)))
        places += [Cited(start, end, _citations(text, mention, numbers)) for start, end, numbers in mention.listed]
    return tuple(sorted(places, key=lambda place: place.start))


def _citing(text: str, catalogue: Catalogue) -> Iterator[_Mention]:
    """The mentions that cite, each with its rules."""
    mentions = _named(text, catalogue)
    rules = list(islice(_RULES.finditer(text), MAX_NAMES))
    mentions = _merged(mentions, [*_quoted(text, catalogue), *_titles_before(text, rules, catalogue)])
    _attach(text, mentions, rules)
    for mention in mentions:
        before = text[max(0, mention.start - _CUE_REACH) : mention.start]
        if _DENIED.search(before):
            continue
        if mention.policy or mention.rules or _CUE_BEFORE.search(before) or _CUE_AFTER.match(text, mention.end):
            yield mention


def _citations(text: str, mention: _Mention, rules: list[int]) -> tuple[Citation, ...]:
    name = mention.policy.id if mention.policy else text[mention.start : mention.end]
    return tuple(Citation(name, number, mention.policy is not None) for number in rules or [None])


def _named(text: str, catalogue: Catalogue) -> list[_Mention]:
    words = ((m, catalogue.resolve(m[0])) for m in _NAME.finditer(text))
    return [_Mention(*m.span(), p) for m, p in islice((w for w in words if w[1] or "_" in w[0][0]), MAX_NAMES)]


def _quoted(text: str, catalogue: Catalogue) -> Iterator[_Mention]:
    for match in islice(_QUOTED.finditer(text), MAX_NAMES):
        if policy := catalogue.resolve(match[1]):
            yield _Mention(*match.span(1), policy)


def _titles_before(text: str, rules: list[re.Match[str]], catalogue: Catalogue) -> Iterator[_Mention]:
    """Names spelt with spaces right before a rule: the longest run of words that is one."""
    for rule in rules:
        end = rule.start()
        before = text[max(0, end - MAX_NAME) : end]
        stripped = before.rstrip(_BEFORE_RULE)
        if len(before) - len(stripped) > 6:
            continue
        words = list(_WORD.finditer(stripped))[-MAX_WORDS:]
        for word in words:
            if policy := catalogue.resolve(stripped[word.start() :]):
                yield _Mention(end - len(before) + word.start(), end - len(before) + len(stripped), policy)
                break


def _merged(named: list[_Mention], others: list[_Mention]) -> list[_Mention]:
    """All mentions by position; of two that overlap, the longer one (a name inside a longer title is part of it)."""
    out: list[_Mention] = []
    for mention in sorted([*named, *others], key=lambda m: (m.start, -m.end)):
        if not out or mention.start >= out[-1].end:
            out.append(mention)
    return out


def _attach(text: str, mentions: list[_Mention], rules: list[re.Match[str]]) -> None:
    """Gives every rule to its mention; a rule with no name near it cites nothing."""
    starts = [m.start for m in mentions]
    reach_from = -REACH - 1
    last: _Mention | None = None
    for rule in rules:
        i = bisect_right(starts, rule.start())
        previous = mentions[i - 1] if i else None
        following = mentions[i] if i < len(mentions) else None
        if following and following.start - rule.end() <= REACH and _OF.fullmatch(text, rule.end(), following.start):
            owner = following
        elif previous and rule.start() - (reach_from if last is previous else previous.end) <= REACH:
            owner = previous
        else:
            continue
        numbers = _numbers(rule[1])
        owner.rules += [n for n in numbers if n not in owner.rules]
        owner.listed.append((*rule.span(), numbers))
        last, reach_from = owner, max(rule.end(), owner.end)


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for first, last in _SPAN.findall(text):
        start, stop = int(first), int(last or first)
        numbers += range(start, stop + 1) if start <= stop else [start, stop]
    return numbers[:MAX_RULES]
