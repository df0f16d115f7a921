"""A pen that draws one pictogram in three tones, so that a drawing is made once and coloured many times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, radians, sin

from PIL import Image, ImageDraw

#: Tones are the three channels of a master drawing: the object's colour, near white, a dark shade of the colour.
INK, LIGHT, DARK = (255, 0, 0), (0, 255, 0), (0, 0, 255)
_EMPTY = (0, 0, 0)

Tone = tuple[int, int, int]
Point = tuple[float, float]


class Pen:
    """Draws on a square of 100 × 100 units, origin at the top left.

    Args:
        side: Pixels that the 100 units become.
        margin: Empty pixels around them, room to rotate in.
    """

    def __init__(self, side: int, margin: int):
        self._scale, self._margin = side / 100, margin
        self.image = Image.new("RGB", (side + 2 * margin,) * 2, _EMPTY)
        self._draw = ImageDraw.Draw(self.image)

    def _at(self, x: float, y: float) -> Point:
        return self._margin + x * self._scale, self._margin + y * self._scale

    def _frame(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return (*self._at(x0, y0), *self._at(x1, y1))

    def box(self, x0: float, y0: float, x1: float, y1: float, tone: Tone = INK, r: float = 0) -> None:
        """A filled rectangle with corner radius `r`."""
        self._draw.rounded_rectangle(self._frame(x0, y0, x1, y1), r * self._scale, fill=tone)

    def oval(self, cx: float, cy: float, rx: float, ry: float | None = None, tone: Tone = INK) -> None:
        """A filled ellipse; a disc when `ry` is left out."""
        ry = rx if ry is None else ry
        self._draw.ellipse(self._frame(cx - rx, cy - ry, cx + rx, cy + ry), fill=tone)

    def hole(self, cx: float, cy: float, rx: float, ry: float | None = None) -> None:
        """An ellipse through which the ground shows."""
        self.oval(cx, cy, rx, ry, _EMPTY)

    def slice(self, cx: float, cy: float, r: float, start: float, end: float, tone: Tone = INK) -> None:
        """A filled sector from `start` to `end` degrees, clockwise from three o'clock."""
        self._draw.pieslice(self._frame(cx - r, cy - r, cx + r, cy + r), start, end, fill=tone)

    def arc(self, cx: float, cy: float, rx: float, ry: float, start: float, end: float, width: float,
            tone: Tone = INK) -> None:  # fmt: skip
        """A stroke along an ellipse, `width` units inwards from it."""
        frame = self._frame(cx - rx, cy - ry, cx + rx, cy + ry)
        self._draw.arc(frame, start, end, fill=tone, width=round(width * self._scale))

    def shape(self, *points: Point, tone: Tone = INK) -> None:
        """A filled polygon."""
        self._draw.polygon([self._at(*p) for p in points], fill=tone)

    def line(self, *points: Point, width: float, tone: Tone = INK) -> None:
        """A stroke with round ends and joints."""
        self._draw.line([self._at(*p) for p in points], fill=tone, width=round(width * self._scale))
        for x, y in points:
            self.oval(x, y, width / 2, tone=tone)

    def star(self, cx: float, cy: float, outer: float, inner: float, tips: int = 5, tone: Tone = INK) -> None:
        """A filled star that stands on two tips."""
        self.shape(*_star(cx, cy, outer, inner, tips), tone=tone)


def _star(cx: float, cy: float, outer: float, inner: float, tips: int) -> Sequence[Point]:
    def corners() -> Iterable[Point]:
        for k in range(2 * tips):
            r, angle = (outer, inner)[k % 2], radians(180 * k / tips - 90)
            yield cx + r * cos(angle), cy + r * sin(angle)

    return tuple(corners())
