"""Parallel coordinates as one SVG file: an axis a setting or metric, a line a point. It holds no script and loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from rl_align.data.untrusted import shown
from rl_align.report.chart import ticks

#: Cividis without its lightest end, light to dark: colour-blind readers can order it, and so can those of a black and white print.
_RAMP = ((225, 190, 60), (170, 155, 110), (124, 123, 120), (67, 78, 108), (0, 34, 77))
#: More lines than this cannot be told apart.
MOST_LINES = 400
#: What `shown` leaves and no XML file may hold.
_NO_XML = {0xFFFE: "�", 0xFFFF: "�"}
_WIDE, _HIGH, _SIDE, _TOP, _BOTTOM = 150, 330, 90, 58, 30
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#1d2430}.dim{fill:#667080;paint-order:stroke;stroke:#fff;stroke-width:3px}"
    ".axis{stroke:#667080;stroke-width:1}"
    "polyline{fill:none;stroke-width:1.6;stroke-opacity:.8}polyline:hover{stroke-width:4;stroke-opacity:1}"
)


def parallel(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    shades: Sequence[float | None] = (),
    logarithmic: Sequence[str] = (),
) -> Markup | None:
    """Draws rows over their columns.

    Args:
        title: Above.
        rows: Column → number or text. A column with a text in it has a place for each of its values; a row that lacks a column is
            left out of the picture.
        shades: A number a row that colours its line, dark for a high one; a row without one is black.
        logarithmic: Columns of positive numbers that are drawn so.

    Returns:
        The SVG; None for fewer than two columns or no whole row.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    paired = list(zip(rows, shades or [None] * len(rows), strict=True))
    kept = [(row, shade) for row, shade in paired if all(row.get(name) is not None for name in columns)]
    whole = [row for row, _ in kept]
    if len(columns) < 2 or not whole:
        return None
    axes = {name: _Axis([row[name] for row in whole], name in logarithmic) for name in columns}
    width = 2 * _SIDE + _WIDE * (len(columns) - 1)
    at = {name: _SIDE + _WIDE * i for i, name in enumerate(columns)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HIGH}" width="{width}" height="{_HIGH}" role="img">',
        f"<title>{_text(title, 200)}</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{_HIGH}" fill="#fff"/>',
        f'<text x="12" y="16" font-weight="600">{_text(title, 120)}{_left_out(len(rows), len(whole))}</text>',
    ]
    known = [shade for _, shade in kept if shade is not None]
    scale = _Axis(known, False) if known else None
    for row, shade in kept[:MOST_LINES]:
        path = " ".join(f"{at[name]},{axes[name].y(row[name]):.1f}" for name in columns)
        told = ", ".join(f"{name} {_number(row[name])}" for name in columns)
        stroke = "#000" if scale is None or shade is None else _ramp(scale.share(shade))
        parts.append(f'<polyline stroke="{stroke}" points="{path}"><title>{_text(told, 600)}</title></polyline>')
    for name in columns:
        x, axis = at[name], axes[name]
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HIGH - _BOTTOM}"/>')
        parts.append(f'<text text-anchor="middle" x="{x}" y="36" font-weight="600">{_text(name, 26)}</text>')
        for told, y in axis.marks():
            parts.append(f'<text class="dim" x="{x + 5}" y="{y + 4:.1f}">{_text(told, 22)}</text>')
    return Markup("".join([*parts, "</svg>"]))


class _Axis:
    """Where values stand on one axis."""

    def __init__(self, values: Sequence[Any], logarithmic: bool):
        self.names = [] if all(_is_number(v) for v in values) else list(dict.fromkeys(str(v) for v in values))
        self.log = logarithmic and not self.names and min(values) > 0
        numbers = [] if self.names else [self._scaled(v) for v in values]
        self.low, self.high = (min(numbers), max(numbers)) if numbers else (0.0, float(max(1, len(self.names) - 1)))
        if self.high - self.low <= 1e-12 * max(1.0, abs(self.low)):
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def share(self, value: Any) -> float:
        """0 at the lower end, 1 at the upper."""
        found = self.names.index(str(value)) if self.names else self._scaled(value)
        return (found - self.low) / (self.high - self.low)

    def y(self, value: Any) -> float:
        return _HIGH - _BOTTOM - self.share(value) * (_HIGH - _TOP - _BOTTOM)

    def marks(self) -> list[tuple[str, float]]:
        """What stands beside the axis, and where."""
        if self.names:
            return [(name, self.y(name)) for name in self.names]
        if self.log:
            inner = [self.low + (self.high - self.low) * k / 4 for k in range(5)]
            return [(f"{math.exp(v):.2g}", self.y(math.exp(v))) for v in inner]
        return [(f"{v:g}", self.y(v)) for v in ticks(self.low, self.high)]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if _is_number(value) else str(value)


def _ramp(share: float) -> str:
    place = min(1.0, max(0.0, share)) * (len(_RAMP) - 1)
    i = min(int(place), len(_RAMP) - 2)
    mixed = (round(a + (b - a) * (place - i)) for a, b in zip(_RAMP[i], _RAMP[i + 1], strict=True))
    return f"rgb({','.join(map(str, mixed))})"


def _left_out(rows: int, whole: int) -> str:
    drawn = min(whole, MOST_LINES)
    return f" ({drawn} of {rows} drawn)" if drawn < rows else ""


def _text(text: object, limit: int) -> Markup:
    """A name in the picture: one line, bounded, escaped."""
    clean = " ".join(shown(text, 4 * limit).translate(_NO_XML).split())
    return escape(clean if len(clean) <= limit else clean[: limit - 1] + "…")
