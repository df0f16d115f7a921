"""The letter that an answer to a multiple-choice question chooses. What names no letter is unparsed: nothing is ever guessed.

Read in this order, the first that finds something decides: the answer is one letter; the last sentence that says which letter is
the answer (also `\\boxed{B}`); a letter with a mark behind it at the beginning; options that are named, then letters in brackets,
when all of them are the same; the words of one option and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ALONE = re.compile(r"\W{0,6}([A-Za-z])\W{0,6}")
_SAYING = r"(?:[ \t]+(?i:is|would be|should be|must be|probably|likely|letter|option|choice))*[ \t]*[:=]?\W{0,6}"
#: What may stand behind a stated letter: no other letter that is named as well, and behind an A nothing that makes it an article.
_BEHIND = r"(?!['’]?\w)(?!\)?[ \t]*(?:[,/&]|(?i:or|and)\b)[ \t]*\(?[A-HJ-Z]\b)"
_REASON = r"because|since|as|for|and|but|or|which"
_STATED = re.compile(
    r"\\boxed\{\W{0,4}(?:\\text\{)?\W{0,4}([A-Z])\b"
    rf"|\b(?i:answer|(?:right|correct|best)[ \t]+(?:option|choice|letter)){_SAYING}\b"
    rf"(?:([B-Z]){_BEHIND}|(A){_BEHIND}(?![ \t]+(?!(?:{_REASON})\b)[a-z]))"
    r"|\b([A-Z])\)?\W{0,4}[ \t]+is (?:the )?(?:right|correct|best)\b"
)
_NAMED = re.compile(r"\b(?i:option|choice|alternative)[ \t]*[:=]?\W{0,6}\b([A-Z])(?![\w'’])")
_LEADING = re.compile(r"\W{0,6}(?:\(([A-Z])\)|([A-Z])(?:[).:]|[ \t]*\n|[ \t]+[-–—][ \t]))(?![ \t]*(?:,|/|(?i:or|and)\b))")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_SPACE = re.compile(r"\s+")


def read_letter(text: str, letters: Sequence[str], options: Sequence[str] = ()) -> str | None:
    """The chosen letter, or None.

    Args:
        text: The answer.
        letters: The letters that there are.
        options: What stands behind them, in their order, where it is known.
    """
    text = text.strip()
    if alone := _ALONE.fullmatch(text):
        letter = alone[1].upper()
        return letter if letter in letters else None
    stated = [m for m in (next(filter(None, match.groups())) for match in _STATED.finditer(text)) if m in letters]
    if stated:
        return stated[-1]
    if (leading := _LEADING.match(text)) and (letter := leading[1] or leading[2]) in letters:
        return letter
    for pattern in (_NAMED, _BRACKETED):
        found = {letter for letter in pattern.findall(text) if letter in letters}
        if len(found) == 1:
            return found.pop()
    same = [letter for letter, option in zip(letters, options, strict=False) if _plain(option) == _plain(text)]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip(" \t\n.\"'“”*").casefold()
