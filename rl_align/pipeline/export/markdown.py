"""Texts of others, made fit for a model card: one line, bounded, and nothing in them that Markdown or HTML would act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rl_align.data.untrusted import shown

#: Longest text of others.
LONGEST = 160
_ACTS = re.compile(r"([\\`*_\[\]#!|~@]|^[-+=]|:(?=//)|(?<=www)\.)")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


class Made(str):
    """Markdown that this project has made, out of parts that are fit for it."""


def fit(value: object) -> str:
    """A value as Markdown shows it; `Made` stays as it is, a number too.

    Punctuation that means something gets a backslash, so that links, pictures, code, tables, headings, mentions and bare addresses
    stay words; what HTML acts on becomes an entity.
    """
    if isinstance(value, (Made, bool, int, float)):
        return str(value)
    line = " ".join(shown(value, LONGEST).split())
    escaped = _ACTS.sub(r"\\\1", line)
    return "".join(_HTML.get(character, character) for character in escaped)


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Made:
    """A table; a text in backslashes cannot end a cell."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[Made(cell) if n == 1 else Made(fit(cell)) for cell in line] for n, line in enumerate(lines)]
    return Made("\n".join(f"| {' | '.join(line)} |" for line in cells))


def listed(lines: Iterable[object]) -> Made:
    """Points of a list."""
    return Made("\n".join(f"* {fit(line)}" for line in lines))
