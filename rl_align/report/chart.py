"""Line and area charts as inline SVG. No library: a report is written in milliseconds and holds nothing from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from markupsafe import Markup, escape

from rl_align.data.untrusted import shown

#: Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
MAX_POINTS = 300
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 440, 230, 48, 10, 26, 26

Points = Sequence[tuple[float, float]]


def line_chart(title: str, series: Mapping[str, Points], *, low: float | None = None, high: float | None = None) -> Markup:
    """Lines over steps.

    Args:
        title: Shown above.
        series: Name → (step, value), by rising step. Non-finite values are left out; long series are averaged in buckets.
        low: Lower end of the value axis; the smallest value by default.
        high: Upper end; the largest value by default.
    """
    kept = {name: thinned([(x, y) for x, y in points if math.isfinite(y)]) for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    values = [y for points in kept.values() for _, y in points]
    frame = _Frame(title, [x for points in kept.values() for x, _ in points], values, low, high)
    lines = [_line(frame, points, COLOURS[i % len(COLOURS)]) for i, points in enumerate(kept.values())]
    return frame.draw(lines, list(kept))


def area_chart(title: str, series: Mapping[str, Points]) -> Markup:
    """Areas on top of each other, for parts of a whole. A part counts as 0 where it has no value."""
    steps = sorted({x for points in series.values() for x, _ in points})
    tables = {name: dict(points) for name, points in series.items()}
    columns = [list(accumulate(max(0.0, table.get(x, 0.0)) for table in tables.values())) for x in steps]
    tops = {name: thinned([(x, c[i]) for x, c in zip(steps, columns, strict=True)]) for i, name in enumerate(tables)}
    frame = _Frame(title, steps, [y for points in tops.values() for _, y in points], 0.0, None)
    areas = []
    below = thinned([(x, 0.0) for x in steps])
    for i, points in enumerate(tops.values()):
        outline = frame.path([*points, *reversed(below)])
        areas.append(f'<polygon fill="{COLOURS[i % len(COLOURS)]}" fill-opacity="0.75" points="{outline}"/>')
        below = points
    return frame.draw(areas, list(tops))


def _line(frame: _Frame, points: Points, colour: str) -> str:
    """A line; a single point is a line of no length with round ends, which is a dot."""
    width, points = (1.5, points) if len(points) > 1 else (5, [*points, *points])
    path = frame.path(points)
    return f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round" points="{path}"/>'


def thinned(points: Points, limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most `limit` points: the mean of each bucket of neighbours."""
    size = math.ceil(len(points) / limit) if points else 1
    buckets = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in b) / len(b), sum(y for _, y in b) / len(b)) for b in buckets]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers between two bounds, ends included where they are round."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


class _Frame:
    """Axes, scale, title and legend."""

    def __init__(self, title: str, xs: Sequence[float], ys: Sequence[float], low: float | None, high: float | None):
        self.title = title
        self.empty = not xs
        self.x0, self.x1 = _span(min(xs, default=0), max(xs, default=1))
        bottom = min(ys, default=0) if low is None else low
        self.y0, self.y1 = _span(bottom, max(ys, default=1) if high is None else high)

    def path(self, points: Points) -> str:
        return " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)

    def draw(self, marks: Sequence[str], names: Sequence[str]) -> Markup:
        parts = [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(self.title)}">',
            f'<text class="title" x="{_LEFT}" y="14">{escape(self.title)}</text>',
        ]
        if self.empty:
            return Markup("".join([*parts, f'<text x="{_LEFT}" y="60">no data</text></svg>']))
        for y in ticks(self.y0, self.y1):
            at = self._y(y)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text text-anchor="end" x="{_LEFT - 5}" y="{at + 4:.1f}">{y:g}</text>')
        for x in ticks(self.x0, self.x1):
            parts.append(f'<text text-anchor="middle" x="{self._x(x):.1f}" y="{_HEIGHT - 8}">{x:g}</text>')
        parts += marks
        parts.append("</svg>")
        keys = [
            f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{escape(shown(name, 60))}</span>'
            for i, name in enumerate(names)
        ]
        legend = f"<figcaption>{''.join(keys)}</figcaption>" if len(keys) > 1 else ""
        return Markup(f"<figure>{''.join(parts)}{legend}</figure>")

    def _x(self, x: float) -> float:
        return _LEFT + (x - self.x0) / (self.x1 - self.x0) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, y: float) -> float:
        share = (min(max(y, self.y0), self.y1) - self.y0) / (self.y1 - self.y0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _span(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high - low > 1e-9 * max(1.0, abs(low), abs(high)) else (low - 0.5, low + 0.5)
