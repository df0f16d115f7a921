"""What benchmarks of questions with a right answer have in common: multiple choice, and their accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rl_align.data.sources.choices import LETTERS
from rl_align.eval.rates import Rate
from rl_align.schema import Item

#: Asked behind a question with lettered options, and behind one without.
CHOOSE = "\n\nAnswer with the letter of the right option."
STATE = '\n\nEnd with a line "Answer:" and nothing but the answer behind it.'


def choose(item: Item) -> str:
    """Every question has options."""
    return CHOOSE


def letters_of(item: Item) -> tuple[str, Mapping[str, Any]] | None:
    """How a multiple-choice answer is read; None where the right letter is withheld.

    The item's truth has `letter` or `answer` (the right letter) and perhaps `options` (a list, or letter → text).
    """
    right = item.truth.get("letter", item.truth.get("answer"))
    if right is None:
        return None
    options = item.truth.get("options")
    texts = list(options.values()) if isinstance(options, Mapping) else list(options or ())
    letters = list(options) if isinstance(options, Mapping) else list(LETTERS[: len(texts) or 4])
    return "letter", {"answer": right, "letters": letters, "options": texts}


def accuracies() -> list[Rate]:
    """Right answers over all that have one: what cannot be read is wrong under `accuracy` and left out of `accuracy_of_parsed`."""
    return [
        Rate("accuracy", lambda r: r["right"] is True, _asked),
        Rate("accuracy_of_parsed", lambda r: r["right"], lambda r: _asked(r) and r["right"] is not None),
        Rate("unparsed", lambda r: r["right"] is None, _asked),
    ]


def _asked(record: Mapping[str, Any]) -> bool:
    return bool(record["reads"])
