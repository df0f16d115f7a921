"""Multiple choice in a prompt: the question, then one lettered option a line."""

from __future__ import annotations

from collections.abc import Sequence

from rl_align.data.quarantine import DataError
from rl_align.data.sources.tables import BAD_ROW

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def right_letter(index: int) -> str:
    """The letter of an option. Raises DataError where there are too many."""
    if not 0 <= index < len(LETTERS):
        raise DataError(BAD_ROW, f"option {index}")
    return LETTERS[index]


def lettered(question: str, options: Sequence[str]) -> str:
    """The prompt. Raises DataError where there are fewer than two options, or too many."""
    if not 2 <= len(options) <= len(LETTERS):
        raise DataError(BAD_ROW, f"{len(options)} options")
    return "\n".join([question, *(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))])
