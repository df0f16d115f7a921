"""How the answers to questions with a right answer are read: what a sample's metadata calls `reads`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rl_align.eval.scorers.choice import read_letter
from rl_align.eval.scorers.exact import any_of, same_list, same_number, same_words

#: From an answer and what is right to (what was read, whether it is right); (None, None) where nothing could be read.
Reader = Callable[[str, Mapping[str, Any]], tuple[str | None, bool | None]]


def letter(text: str, right: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Keys: letters (that there are), options (their texts, where known), answer (the right letter)."""
    found = read_letter(text, right["letters"], right.get("options") or ())
    return found, None if found is None else found == right["answer"]


def number(text: str, right: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Keys: answer, precision (decimals; None for whole numbers)."""
    return same_number(text, right["answer"], right["precision"])


def numbers(text: str, right: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Keys: answer, a list of numbers as text."""
    return same_list(text, right["answer"])


def words(text: str, right: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Keys: answer."""
    return same_words(text, right["answer"])


def open_answer(text: str, right: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Keys: answers, any of which is right."""
    return any_of(text, right["answers"])


READERS: Mapping[str, Reader] = {
    "letter": letter,
    "number": number,
    "numbers": numbers,
    "words": words,
    "open": open_answer,
}  # fmt: skip
