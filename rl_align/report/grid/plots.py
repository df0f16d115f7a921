"""The two figures of a matrix: attack success against over-refusal, and a radar of a rate by category. Both as PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.report.chart import COLOURS
from rl_align.report.grid.formats import plain

_MARKERS = "osD^vPX*<>"
#: A radar of fewer axes is a line.
MIN_AXES = 3
MAX_AXES = 24
MAX_RADARS = 24


def label(name: object, limit: int = 32) -> str:
    """A name in a figure: matplotlib would set what stands between dollars as mathematics."""
    text = plain(name)
    return (text if len(text) <= limit else text[: limit - 1] + "…").replace("$", r"\$")


def figures(found: Mapping[str, Any]) -> dict[str, tuple[str, bytes]]:
    """Name of a file → title and PNG."""
    front = pareto(found)
    drawn = {"pareto": ("attack success against over-refusal", front)} if front is not None else {}
    return drawn | {f"radar-{k}": one for k, one in enumerate(radars(found).items(), start=1)}


def pareto(found: Mapping[str, Any]) -> bytes | None:
    """Models by shape, defences by colour; lower left is better, the front is joined. None without points."""
    points = [p for p in found["fronts"] if p["attack"] and p["over_refusal"]]
    if not points:
        return None
    figure = _figure((7.2, 5.4))
    ax = figure.subplots()
    defences, models = list(found["defences"]), list(found["models"])
    for p in points:
        x, y = p["attack"], p["over_refusal"]
        colour = COLOURS[defences.index(p["defence"]) % len(COLOURS)]
        marker = _MARKERS[models.index(p["model"]) % len(_MARKERS)]
        spread = {"xerr": _arms(x), "yerr": _arms(y)}
        ax.errorbar(
            100 * x["value"], 100 * y["value"], **spread, fmt=marker, color=colour, elinewidth=0.6, markersize=7, alpha=0.85
        )
    front = sorted((100 * p["attack"]["value"], 100 * p["over_refusal"]["value"]) for p in points if p["front"])
    ax.plot(*zip(*front, strict=True), color="#999999", linewidth=1, linestyle="--", zorder=0)
    ax.set_xlabel("attack success, per cent (lower is better)", fontsize=9)
    ax.set_ylabel("over-refusal, per cent (lower is better)", fontsize=9)
    ax.set_xlim(-2, 102)
    ax.set_ylim(-2, 102)
    ax.grid(alpha=0.25)
    ax.tick_params(labelsize=8)
    keys = [ax.scatter([], [], color=COLOURS[i % len(COLOURS)], label=label(name)) for i, name in enumerate(defences)]
    keys += [ax.scatter([], [], color="#444444", marker=_MARKERS[i % len(_MARKERS)], label=label(n)) for i, n in enumerate(models)]
    figure.legend(handles=keys, loc="outside right upper", fontsize=8, frameon=False)
    return _png(figure)


def radars(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Title → a radar a benchmark, group and model: one line a defence, of the rate of attacks, or that it is known by."""
    drawn: dict[str, bytes] = {}
    for name, facts in found["benchmarks"].items():
        rate = facts["attack"] or facts["known_by"]
        for model in found["models"]:
            cells = [c for c in found["cells"] if c["benchmark"] == name and c["model"] == model]
            for group in dict.fromkeys(group for cell in cells for group in cell["by"]):
                lines = {c["defence"]: {v: t[rate]["value"] for v, t in c["by"].get(group, {}).items() if rate in t} for c in cells}
                axes = sorted({v for line in lines.values() for v, value in line.items() if value is not None})
                if MIN_AXES <= len(axes) <= MAX_AXES and len(drawn) < MAX_RADARS:
                    title = f"{name}, {model}: {rate} by {group}"
                    drawn[title] = _radar(title, axes, lines, list(found["defences"]))
    return drawn


def _radar(title: str, axes: Sequence[str], lines: Mapping[str, Mapping[str, float | None]], defences: Sequence[str]) -> bytes:
    figure = _figure((5.6, 4.6))
    ax = figure.subplots(subplot_kw={"projection": "polar"})
    angles = [2 * math.pi * k / len(axes) for k in range(len(axes))]
    for defence, line in lines.items():
        values = [float("nan") if line.get(axis) is None else 100 * line[axis] for axis in axes]  # type: ignore[operator]
        colour = COLOURS[defences.index(defence) % len(COLOURS)]
        ax.plot(
            [*angles, angles[0]], [*values, values[0]], color=colour, linewidth=1.3, marker="o", markersize=3, label=label(defence)
        )
    ax.set_xticks(angles, [label(axis, 22) for axis in axes], fontsize=7)
    ax.set_ylim(0, 100)
    ax.set_yticks([25, 50, 75, 100], ["25", "50", "75", "100"], fontsize=6)
    ax.set_title(label(title, 80), fontsize=9)
    figure.legend(loc="outside lower center", ncols=min(4, len(lines)), fontsize=7, frameon=False)
    return _png(figure)


def _arms(part: Mapping[str, Any]) -> list[list[float]]:
    """Lengths of an interval's arms, in per cent."""
    return [[100 * max(0.0, part["value"] - part["low"])], [100 * max(0.0, part["high"] - part["value"])]]


def _figure(size: tuple[float, float]) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no state, no display

    return Figure(figsize=size, dpi=110, layout="constrained")


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
