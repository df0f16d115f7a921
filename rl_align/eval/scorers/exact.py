"""The value that an answer gives, compared with the right one: numbers by their precision, words by their spelling.

The value is looked for where the answer says what it is: behind the last "answer is" (or `\\boxed{…}`), else in its last line. No
model extracts it, and an answer that states none is unparsed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_STATED = re.compile(
    r"\\boxed\{([^{}]{1,200})\}|\banswer\b[ \t*]{0,4}(?:is|[:=]|would be)[ \t:*]{0,6}([^\n]{1,300})", re.IGNORECASE
)
_NUMBER = re.compile(
    r"(?<![\w.])[-−+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,2})?(?!\d)",
)
_WORDS = re.compile(r"[^\W_]+")
#: Longer answers are no values.
_MAX = 20_000


def stated(text: str) -> str:
    """The part of an answer that says its value; empty where there is no text."""
    text = text[-_MAX:].strip()
    if found := list(_STATED.finditer(text)):
        return (found[-1][1] or found[-1][2]).strip()
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def numbers(text: str) -> list[float]:
    """The numbers in a text, in order; thousands separated by commas are one."""
    found = [float(m[0].replace(",", "").replace("−", "-")) for m in _NUMBER.finditer(text)]
    return [n for n in found if math.isfinite(n)]


def same_number(text: str, right: str, precision: int | None = None) -> tuple[str | None, bool | None]:
    """The last number of the value, and whether it is the right one; (None, None) without a number.

    Args:
        text: The answer.
        right: The right number.
        precision: Decimals that both are rounded to; None compares whole numbers, cut off as MathVista does.
    """
    found, target = numbers(stated(text)), numbers(right)
    if not target:
        return same_words(text, right)
    if not found:
        return None, None
    a, b = found[-1], target[-1]
    same = int(a) == int(b) if precision is None else round(a, precision) == round(b, precision)
    return f"{a:g}", same


def same_list(text: str, right: str) -> tuple[str | None, bool | None]:
    """The list of numbers of the value, and whether it is the right one; (None, None) without a number."""
    found, target = numbers(stated(text)), numbers(right)
    if not found:
        return None, None
    return ", ".join(f"{n:g}" for n in found), found == target


def same_words(text: str, right: str) -> tuple[str | None, bool | None]:
    """The value, and whether its words are the right ones, whatever their case and punctuation; (None, None) without words."""
    said, target = _words(stated(text)), _words(right)
    if not said:
        return None, None
    return " ".join(said), said == target


def any_of(text: str, right: Sequence[str]) -> tuple[str | None, bool | None]:
    """The value, and whether it holds one of the right ones, as MMMU compares open answers.

    A number is right when one of the value's numbers is the same, both rounded to two decimals; words are, when they stand in the
    value one after another.
    """
    value = stated(text)
    said = _words(value)
    if not said:
        return None, None
    found = {round(n, 2) for n in numbers(value)}
    return value, any(_holds(said, found, one) for one in right)


def _holds(said: Sequence[str], found: set[float], one: str) -> bool:
    target = numbers(one)
    if len(target) == 1 and re.fullmatch(r"\W*" + _NUMBER.pattern + r"\W*", one.strip()):
        return round(target[0], 2) in found
    words = _words(one)
    return bool(words) and any(list(said[i : i + len(words)]) == words for i in range(len(said) - len(words) + 1))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORDS.findall(text)]
