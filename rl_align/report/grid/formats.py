"""Tables as Markdown, LaTeX and CSV. Every name is somebody's: each format escapes what would be markup, or a formula, in it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.report.grid.tables import Table, figure

#: A line below a table names many rates.
MAX_TEXT = 4000
#: A spreadsheet takes a field that begins so for a formula; some take the wide forms for the narrow ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%", "＝", "＋", "－", "＠")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "°": r"\textdegree{}",
    "–": "--", "×": r"$\times$", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "|": r"\textbar{}",
}  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_\[\]|<>&~$#!])")


def plain(text: object) -> str:
    """One line without anything invisible."""
    return " ".join(shown(text, MAX_TEXT).split())


def markdown_text(text: object) -> str:
    """A name in Markdown: nothing in it is markup, a link or HTML."""
    escaped = _MARKDOWN.sub(r"\\\1", plain(text))
    return escaped.replace(r"\<", "&lt;").replace(r"\>", "&gt;").replace(r"\&", "&amp;")


def markdown(tables: Sequence[Table], title: str, intro: Iterable[str] = ()) -> str:
    """All tables as one Markdown file."""
    lines = [f"# {markdown_text(title)}", "", *(line for text in intro for line in (markdown_text(text), ""))]
    for table in tables:
        lines += [f"## {markdown_text(table.title)}", "", _markdown_row(table.head), "|" + "---|" * len(table.head)]
        lines += [_markdown_row(row) for row in table.rows]
        lines += ["", *(f"* {markdown_text(note)}" for note in table.notes), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(row: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) or " " for cell in row) + " |"


def latex_text(text: object) -> str:
    """A name in LaTeX: no command, no comment, no math, and no argument of the `\\\\` before it."""
    escaped = "".join(_LATEX.get(c, c) for c in plain(text))
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def latex(tables: Sequence[Table], title: str) -> str:
    """All tables as LaTeX, each a `table` to be taken over; `booktabs` and T1 fonts are needed."""
    parts = [f"% {latex_text(title)}", r"% \usepackage[T1]{fontenc} \usepackage{textcomp} \usepackage{booktabs}", ""]
    for table in tables:
        columns = "ll" + "r" * (len(table.head) - 2)
        notes = r" \\ ".join(latex_text(note) for note in table.notes)
        parts += [
            r"\begin{table}",
            rf"\caption{{{latex_text(table.title)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _latex_row(table.head),
            r"\midrule",
            *map(_latex_row, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            *([rf"\par\footnotesize {notes}"] if notes else []),
            r"\end{table}",
            "",
        ]
    return "\n".join(parts)


def _latex_row(row: Sequence[str]) -> str:
    return " & ".join(map(latex_text, row)) + r" \\"


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV; texts that a spreadsheet would calculate get an apostrophe in front."""
    rows = list(rows)
    head = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_field, head))
    for row in rows:
        writer.writerow([_field(row.get(key)) for key in head])
    return out.getvalue()


def _field(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def long(found: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Name of a CSV file → its rows: every number of the matrix once, one a row."""
    rates, categories, costs = [], [], []
    for cell in found["cells"]:
        who = {"model": cell["model"], "defence": cell["defence"], "benchmark": cell["benchmark"], "complete": cell["complete"]}
        for rate, metric in cell["metrics"].items():
            rates.append({**who, "rate": rate, **_numbers(metric)})
        for group, values in cell["by"].items():
            for value, table in values.items():
                categories += [{**who, "group": group, "value_of_group": value, "rate": r, **_numbers(m)} for r, m in table.items()]
        counts = {**cell["counts"], "missing": cell["missing"], "failed": sum(cell["defence_failures"].values())}
        flat = {key: value for key, value in cell["costs"].items() if key not in ("models", "answers")}
        costs.append({**who, **counts, "undefended": cell["undefended"], **flat, "seconds": cell["seconds"]})
    return {"rates": rates, "categories": categories, "cells": costs, "comparisons": list(found["comparisons"])}


def _numbers(metric: Mapping[str, Any]) -> dict[str, Any]:
    judges = metric.get("judges") or []
    said = {
        "judge": "; ".join(str(j["model"]) for j in judges),
        "judge_prompt": "; ".join(str(j["prompt"]) for j in judges),
        **{f"judge_{key}": "; ".join(_calibrated(j, key) for j in judges) for key in ("accuracy", "kappa")},
    }
    return {**{key: metric[key] for key in ("value", "low", "high", "how", "n", "unscored")}, **said}


def _calibrated(judge: Mapping[str, Any], key: str) -> str:
    value = figure(judge.get("calibration") or {}, key)
    return "" if value is None else f"{value:.4g}"
