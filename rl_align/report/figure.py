"""Curves of several arms over several seeds as one picture, for papers and README files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rl_align.report.chart import COLOURS
from rl_align.runfiles.atomic import write_bytes

#: Steps that a point of a training curve is averaged over, itself included; single batches are noise.
WINDOW = 5
#: Up to so many points are marked.
_FEW = 8
_COLUMNS = 3

#: (step, value) of one run.
Curve = Sequence[tuple[int, float]]


def draw(path: Path, curves: Mapping[str, Mapping[str, Sequence[Curve]]]) -> None:
    """Writes a PNG: a panel a title, a line an arm (mean over seeds), a band from the lowest seed to the highest.

    Args:
        path: The file.
        curves: Title → arm → one curve a seed. Steps that not all seeds of an arm have are left out.
    """
    from matplotlib.figure import Figure  # without pyplot: no state, no display

    if not curves:
        return
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), dpi=110, layout="constrained")
    arms = list(dict.fromkeys(arm for by_arm in curves.values() for arm in by_arm))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (title, by_arm) in zip(axes, curves.items(), strict=False):
        for arm, runs in by_arm.items():
            steps, low, mean, high = band(runs)
            colour = COLOURS[arms.index(arm) % len(COLOURS)]
            ax.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
            marker = "o" if len(steps) <= _FEW else ""
            ax.plot(steps, mean, color=colour, label=arm, linewidth=1.4, marker=marker, markersize=3)
        ax.set_title(title, fontsize=9)
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25)
    for ax in axes[len(curves) :]:
        ax.set_visible(False)
    handles = {label: h for ax in axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())


def smooth(curve: Curve, window: int) -> list[tuple[int, float]]:
    """Each value averaged with those before it, `window` in all."""
    values = [value for _, value in curve]
    return [(step, fmean(values[max(0, i - window + 1) : i + 1])) for i, (step, _) in enumerate(curve)]


def band(runs: Sequence[Curve]) -> tuple[list[int], list[float], list[float], list[float]]:
    """(steps, lowest, mean, highest) of the steps that all runs have."""
    tables = [dict(run) for run in runs]
    steps = [step for step in tables[0] if all(step in table for table in tables)] if tables else []
    found = [[table[step] for table in tables] for step in steps]
    return steps, [min(v) for v in found], [fmean(v) for v in found], [max(v) for v in found]
