"""Content words of a text, and how far two texts share them: what word-overlap rewards compare."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[^\W{_UNSPACED}]+|[{_UNSPACED}]")
_FUNCTION_WORDS = frozenset(
    "a an the this that these those it its is are was be to of in on at for with and or as by i you your".split()
)


def content(text: str) -> Counter[str]:
    """Lower-case words without a few function words, counted; a character of an unspaced script counts as a word.

    A text of function words only keeps them.
    """
    found = words(text)
    return Counter([w for w in found if w not in _FUNCTION_WORDS] or found)


def words(text: str) -> list[str]:
    """Lower-case words in their order; a character of an unspaced script counts as a word."""
    return _WORDS.findall(text.lower())


@lru_cache(maxsize=1024)  # several rules compare the same two
def f1(answer: str, reference: str) -> float:
    """F1 of precision and recall over the multisets of content words (ROUGE-1, Lin 2004), in [0, 1]."""
    given, wanted = content(answer), _of_reference(reference)
    common = sum(min(n, given[w]) for w, n in wanted.items())
    return 2 * common / (given.total() + wanted.total()) if common else 0.0


@lru_cache(maxsize=4096)
def _of_reference(text: str) -> Counter[str]:
    """References come back with every sibling."""
    return content(text)
