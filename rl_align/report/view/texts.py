"""Texts of models and data sets as short runs for the page: hidden characters named, citations marked, length bounded.

A run is `[text]` or `[text, kind]` or `[text, kind, hint]`. The page puts every text into a text node and every kind into a class,
so a text stays a text, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from rl_align.data.untrusted import hidden, shown

#: Characters of one text that are shown, and runs it is cut into at most.
MAX_TEXT = 20_000
MAX_RUNS = 400

HIDDEN, CUT = "hidden", "cut"

Run = list[str]


class Mark(NamedTuple):
    """A stretch `text[start:end]` that stands out, and why."""

    start: int
    end: int
    kind: str
    hint: str = ""


def runs(text: str | None, marks: Iterable[Mark] = (), limit: int = MAX_TEXT) -> list[Run]:
    """A text as runs; of marks that overlap the first counts."""
    text = text or ""
    out: list[Run] = []
    at = 0
    for mark in sorted(marks):
        if mark.start < at or mark.end > min(len(text), limit):
            continue
        out += _plain(text[at : mark.start])
        out.append([shown(text[mark.start : mark.end], limit), mark.kind, mark.hint])
        at = mark.end
        if len(out) > MAX_RUNS:
            break
    out += _plain(text[at:limit])
    if len(out) > MAX_RUNS:
        rest = "".join(run[0] for run in out[MAX_RUNS:])
        out = [*out[:MAX_RUNS], [shown(rest, limit)]]
    if len(text) > limit:
        out.append([f"… {len(text) - limit} more characters", CUT])
    return out


def _plain(text: str) -> list[Run]:
    """Runs of a text without marks: where characters hide, their names stand."""
    if text.isprintable():
        return [[text]] if text else []
    out: list[Run] = []
    for hides, stretch in groupby(text, hidden):
        if not hides:
            out.append(["".join(stretch)])
            continue
        for character, same in groupby(stretch):
            times = sum(1 for _ in same)
            name = f"U+{ord(character):04X}"
            out.append([name if times == 1 else f"{name} × {times}", HIDDEN, "a character that cannot be seen"])
    return out
