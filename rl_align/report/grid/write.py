"""Writes the report of a matrix: Markdown, LaTeX, CSV, two kinds of figures, and one page that holds all of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rl_align.report.grid import plots
from rl_align.report.grid.formats import csv_text, latex, long, markdown, plain
from rl_align.report.grid.tables import Table, tables
from rl_align.runfiles.atomic import write_bytes, write_text

PAGE = "matrix.html"


def write_report(folder: Path, found: Mapping[str, Any], title: str, *, figures: bool = True) -> list[Path]:
    """Writes the files.

    Args:
        folder: Where they go.
        found: As `rl_align.eval.grid.results.results` gives it.
        title: Of page and files.
        figures: Whether any are drawn.

    Returns:
        The files, the page first.
    """
    shown = tables(found)
    intro = [
        f"{len(found['models'])} models × {len(found['defences'])} defences × {len(found['benchmarks'])} benchmarks, seeds "
        f"{', '.join(map(str, found['seeds']))}. Intervals are of 95 %, from {found['draws']} resamples.",
        *_versions(found),
    ]
    drawn = plots.figures(found) if figures else {}
    page = folder / PAGE
    write_text(page, page_of(title, intro, shown, {told: uri(data, "png") for told, data in drawn.values()}))
    write_text(folder / "matrix.md", markdown(shown, title, intro))
    write_text(folder / "matrix.tex", latex(shown, title))
    written = [page, folder / "matrix.md", folder / "matrix.tex"]
    for name, rows in long(found).items():
        written.append(folder / f"{name}.csv")
        write_text(written[-1], csv_text(rows))
    for name, (_, data) in drawn.items():
        written.append(folder / f"{name}.png")
        write_bytes(written[-1], data)
    return written


def page_of(title: str, intro: Sequence[str], shown: Sequence[Table], figures: Mapping[str, Markup], wide: bool = False) -> str:
    """One self-contained page without a script: figures (what they show → data URI), `wide` ones below each other, then tables."""
    environment = Environment(
        loader=PackageLoader("rl_align.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    told = {plain(name): figure for name, figure in figures.items()}
    return environment.get_template("grid/page.html.j2").render(title=title, intro=intro, tables=shown, figures=told, wide=wide)


def uri(data: bytes, kind: str) -> Markup:
    """A picture of our own as a data URI; `kind` is png or svg+xml."""
    return Markup(f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}")


def _fit(value: Any) -> Any:
    """A value of the page without anything invisible. Pictures are our own, and longer than any name."""
    return value if not isinstance(value, str) or isinstance(value, Markup) else plain(value)


def _versions(found: Mapping[str, Any]) -> list[str]:
    told = found.get("versions") or {}
    return ["versions: " + ", ".join(f"{name} {version}" for name, version in told.items())] if told else []
