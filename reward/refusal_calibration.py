"""Measures the refusal rules against what people said: XSTest, PyRIT, MSTS.

*all*: every rule on every row. The rules were written by people who had seen these rows.

*left out*: the rows of XSTest and PyRIT are parted into five folds, stratified by set and label. For each fold only those families
of rules stay in force that the other four folds support: the family decides at least one row that people call a refusal, and
more of those than of others. No family is exempt; one that only the fold's own rows speak for is off there. The rules are
frozen before a row of the fold is looked at, and the five folds are counted together.

*other set*: the same with the families that the rows of the other set support, and the grammar of declining, which no row
supplied: one of the sets may have no clause of it.

What none of this undoes: the words inside a family were chosen by people who had all rows in sight.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rl_align.errors import UserError
from rl_align.statistics import Confusion, Estimate, confusion, f1, f1_resampled, precision, recall
from rl_align.transcript.refusal import FAMILIES, Degree, classify_refusal
from rl_align.transcript.refusal.asking import asked
from rl_align.transcript.refusal.reading import read
from rl_align.transcript.refusal.types import GRAMMAR, rules_of
from rl_align.transcript.refusal.unanswered import ELSEWHERE, elsewhere

FOLDS = 5
PARTITIONS = 20

XSTEST = "xstest/evaluation/automated_evaluation_labels/xstest_v2_completions_mistralinstruct_gpteval.csv"
XSTEST_LABELS = "xstest/DERIVED_labels_5models.csv"
PYRIT = "pyrit/datasets/scorer_evals/refusal_scorer/refusal.csv"
MSTS = "msts/data/response_annotations/english_multimodal.csv"

_XSTEST_DEGREE = {"1_full_compliance": Degree.NONE, "2_full_refusal": Degree.FULL, "3_partial_refusal": Degree.PARTIAL}


class Labelled(NamedTuple):
    """An answer and what people said of it."""

    set: str
    prompt: str
    answer: str
    #: The label in the set's own words.
    label: str
    #: Whether people call it a refusal of any degree.
    refuses: bool


class Line(NamedTuple):
    """One line of the table: what is counted, on which rules."""

    what: str
    rules: str
    counts: Confusion


def calibrate(folder: str) -> str:
    """The tables for the labelled sets under `folder`, as Markdown.

    Raises:
        UserError: No labelled set is there, or a file lacks a column.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError("no such folder", where=folder, expected="the folder that holds xstest/, pyrit/, msts/")
    sets = {name: rows for name, reader in READERS.items() if (rows := reader(root))}
    if not sets:
        raise UserError("no labelled answers here", where=folder, expected=f"one of {XSTEST}, {PYRIT}, {MSTS}")
    lines = [line for name, rows in sets.items() for line in _lines(name, rows, sets)]
    if topics := _exchanged([row for rows in sets.values() for row in rows if row.set != "MSTS"]):
        lines.append(Line("exchanged answers called off topic", "all", topics))
    parts = [_counts(sets), _table(lines), _spread(sets)]
    if labels := _read(
        root / XSTEST_LABELS, ("model", "annotation_1", "annotation_2", "final_label", "gpt4_label", "strmatch_label")
    ):
        parts.append(_others(labels))
    return "\n\n".join(part for part in parts if part)


# --- the sets -------------------------------------------------------------------------------------------------------


def xstest(root: Path) -> list[Labelled]:
    """XSTest's completions; `final_label` after two annotators. A partial refusal refuses and then partly answers."""
    rows = _read(root / XSTEST, ("prompt", "completion", "final_label"))
    return [Labelled("XSTest", r["prompt"], r["completion"], r["final_label"], r["final_label"][:1] != "1") for r in rows]


def pyrit(root: Path) -> list[Labelled]:
    """PyRIT's answers; 1 is a refusal, and so are redirections, tangents and answers to another question."""
    rows = _read(root / PYRIT, ("objective", "assistant_response", "human_score"))
    return [Labelled("PyRIT", r["objective"], r["assistant_response"], r["human_score"], r["human_score"] == "1") for r in rows]


def msts(root: Path) -> list[Labelled]:
    """MSTS's answers to pictures; classes 1.1 (rejection or rebuttal) and 1.2 (refusal only) refuse."""
    rows = _read(root / MSTS, ("prompt_text", "response", "final_taxonomy"))
    return [
        Labelled("MSTS", r["prompt_text"], r["response"], r["final_taxonomy"][:3], r["final_taxonomy"][:3] in ("1.1", "1.2"))
        for r in rows
    ]


READERS: dict[str, Callable[[Path], list[Labelled]]] = {"XSTest": xstest, "PyRIT": pyrit, "MSTS": msts}


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, a first line of comment skipped; none when the file is absent."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        if file.readline()[:1] != "#":
            file.seek(0)
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise UserError(f"no column {missing[0]!r}", where=str(path), expected=", ".join(columns))
        return [{key: value or "" for key, value in row.items() if key} for row in reader]


# --- counting -------------------------------------------------------------------------------------------------------

Shown = Callable[[Degree], bool]


def _full(degree: Degree) -> bool:
    return degree is Degree.FULL


def _any(degree: Degree) -> bool:
    return degree is not Degree.NONE


def _degrees(rows: Iterable[Labelled], families: frozenset[str] = FAMILIES) -> list[Degree]:
    return [classify_refusal(row.answer, row.prompt, families).degree for row in rows]


def supported(rows: Iterable[Labelled]) -> frozenset[str]:
    """The families that decide more rows that people call refusals than others, and one at least."""
    votes: Counter[str] = Counter()
    for row in rows:
        refusal = classify_refusal(row.answer, row.prompt)
        if refusal.family and refusal.degree is not Degree.NONE:
            votes[refusal.family] += 1 if row.refuses else -1
    return frozenset(family for family, balance in votes.items() if balance > 0)


def left_out(rows: Sequence[Labelled], seed: int = 0, folds: int = FOLDS) -> list[Degree]:
    """The degree of each row under the rules that the other folds support."""
    strata: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        strata[row.set, row.label].append(i)
    fold = [0] * len(rows)
    rng, start = random.Random(seed), 0
    for members in strata.values():
        rng.shuffle(members)
        for i, member in enumerate(members, start):
            fold[member] = i % folds
        start += len(members)
    degrees = [Degree.NONE] * len(rows)
    for k in range(folds):
        families = supported(row for row, f in zip(rows, fold, strict=True) if f != k)
        for i in (i for i, f in enumerate(fold) if f == k):
            degrees[i] = classify_refusal(rows[i].answer, rows[i].prompt, families).degree
    return degrees


def _lines(name: str, rows: list[Labelled], sets: dict[str, list[Labelled]]) -> list[Line]:
    said = _said(name)
    if name == "MSTS":
        return [Line(what, "all", _count(rows, _degrees(rows), label, shown)) for what, label, shown in said]
    both = _folded(sets)
    ways = [("all", _degrees(rows))]
    ways.append(("left out", [degree for row, degree in zip(both, left_out(both), strict=True) if row.set == name]))
    lines = [Line(what, way, _count(rows, degrees, label, shown)) for what, label, shown in said for way, degrees in ways]
    what, label, shown = said[0]
    more = [("all, without the prompt", _degrees(row._replace(prompt="") for row in rows))]
    if others := [row for row in both if row.set != name]:
        more.insert(0, ("other set", _degrees(rows, supported(others) | GRAMMAR)))
    lines[2:2] = [Line(what, way, _count(rows, degrees, label, shown)) for way, degrees in more]
    return lines


def _folded(sets: dict[str, list[Labelled]]) -> list[Labelled]:
    return [row for name in ("XSTest", "PyRIT") for row in sets.get(name, [])]


def _said(name: str) -> list[tuple[str, Callable[[Labelled], bool], Shown]]:
    """What is counted of a set, the main thing first: a name, what people say, and which degrees say the same."""
    if name == "XSTest":
        return [
            ("XSTest, full refusal", lambda row: row.label[:1] == "2", _full),
            ("XSTest, partial refusal", lambda row: row.label[:1] == "3", lambda degree: degree is Degree.PARTIAL),
            ("XSTest, compliance", lambda row: row.label[:1] == "1", lambda degree: degree is Degree.NONE),
        ]
    if name == "PyRIT":
        return [
            ("PyRIT, refusal (shown: full or partial)", lambda row: row.refuses, _any),
            ("PyRIT, refusal (shown: full)", lambda row: row.refuses, _full),
        ]
    return [
        ("MSTS, 1.2 refusal only", lambda row: row.label == "1.2", _full),
        ("MSTS, 1.1 and 1.2", lambda row: row.refuses, _full),
    ]


def _count(rows: Iterable[Labelled], degrees: Iterable[Degree], label: Callable[[Labelled], bool], shown: Shown) -> Confusion:
    return confusion([shown(degree) for degree in degrees], [label(row) for row in rows])


def _exchanged(rows: list[Labelled]) -> Confusion | None:
    """Harmless prompts with the answers to other ones, as PyRIT makes answers beside the point; only long ones can be told."""
    rows = [row for row in rows if not row.refuses]
    rules, units = rules_of(FAMILIES), [read(row.answer) for row in rows]
    long = [sum(unit.text.count(" ") + 1 for unit in answer) >= ELSEWHERE for answer in units]
    pairs = [
        (elsewhere(units[j], asked(row.prompt), rules) is not None, i != j)
        for i, row in enumerate(rows)
        for j in range(len(rows))
        if long[j]
    ]
    return confusion(*zip(*pairs, strict=True)) if pairs else None


# --- printing -------------------------------------------------------------------------------------------------------


def _counts(sets: dict[str, list[Labelled]]) -> str:
    lines = ["| set | rows | labels |", "|---|---|---|"]
    for name, rows in sets.items():
        counts = Counter(row.label for row in rows)
        lines.append(f"| {name} | {len(rows)} | {', '.join(f'{label}: {counts[label]}' for label in sorted(counts))} |")
    return "\n".join(lines)


def _table(lines: Iterable[Line]) -> str:
    head = [
        "| what | rules | hits | false alarms | misses | others | precision | recall | F1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(head + [_row(line) for line in lines])


def _row(line: Line) -> str:
    c = line.counts
    figures = " | ".join(_figure(estimate) for estimate in (precision(c), recall(c), f1_resampled(c)))
    return f"| {line.what} | {line.rules} | {c.tp} | {c.fp} | {c.fn} | {c.tn} | {figures} |"


def _figure(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f} ({estimate.low:.2f}–{estimate.high:.2f})"


def _spread(sets: dict[str, list[Labelled]]) -> str:
    """F1 under other partitions into folds: one partition of some fifty rows is a matter of luck."""
    both = _folded(sets)
    runs = [left_out(both, seed) for seed in range(PARTITIONS)] if both else []
    parts = []
    for name in ("XSTest", "PyRIT"):
        if name not in sets:
            continue
        what, label, shown = _said(name)[0]
        of_set = [i for i, row in enumerate(both) if row.set == name]
        counts = [_count([both[i] for i in of_set], [run[i] for i in of_set], label, shown) for run in runs]
        values = sorted(value for c in counts if (value := f1(c).value) is not None)
        if not values:
            continue
        parts.append(f"{what}: median {values[len(values) // 2]:.3f}, {values[0]:.3f} to {values[-1]:.3f}")
    return f"F1 left out, over {PARTITIONS} partitions: " + "; ".join(parts) + "." if parts else ""


def _others(rows: list[dict[str, str]]) -> str:
    """What others reach on XSTest's label rows, which carry no answers: a yardstick, nothing that the rules can be run on."""
    lines = ["| full refusals of XSTest, by | " + " | ".join(models := sorted({row["model"] for row in rows})) + " | all |"]
    lines.append("|---|" + "---|" * (len(models) + 1))
    for name, a, b in (
        ("string match", "final_label", "strmatch_label"),
        ("GPT-4", "final_label", "gpt4_label"),
        ("annotator against annotator", "annotation_1", "annotation_2"),
    ):
        cells = []
        for model in (*models, None):
            chosen = [row for row in rows if model in (None, row["model"]) and row[a] and row[b]]
            value = f1(confusion([row[b][:1] == "2" for row in chosen], [row[a][:1] == "2" for row in chosen])).value
            cells.append(f"{'–' if value is None else f'{value:.3f}'} ({len(chosen)})")
        lines.append(f"| {name}, F1 (rows) | " + " | ".join(cells) + " |")
    return "\n".join(lines)
