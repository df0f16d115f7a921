"""Scenes as pictures: an object in a colour, perhaps between words, on a light ground with a little clutter."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rl_align.pictograms.chance import chance
from rl_align.pictograms.objects import DRAWINGS
from rl_align.pictograms.pen import Pen
from rl_align.pictograms.world import COLOURS

_GROUNDS = ((252, 252, 250), (248, 240, 226), (232, 242, 250), (236, 247, 234), (246, 236, 246))
_LIGHT = np.array((255, 255, 255), np.float32)
_WORDS_COLOUR = (25, 25, 30)

# Lengths in the units of a picture of 112 pixels; other sizes scale.
_UNIT = 112
_SIDE = 76.0
_SIDE_BETWEEN_WORDS = 62.0
_LINES = (12.0, 100.0)
_LINE_HEIGHT = 20.0

# A master drawing is this much larger than it is shown, after smoothing from this much larger still.
_MASTER = 1.4
_SMOOTHING = 3


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `words` are at most two lines, spelled above and below an object that is a little smaller then."""

    name: str
    colour: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spread:
    """How far drawings of the same object differ.

    Attributes:
        shift: Largest shift of the object along each axis, in pixels of a picture of 112.
        stretch: Largest relative change of its size.
        turn: Largest rotation, degrees.
        clutter: Most marks near the border.
    """

    shift: float = 3.0
    stretch: float = 0.06
    turn: float = 5.0
    clutter: int = 6


def draw(scene: Scene, seed: int, id: str, size: int = _UNIT, spread: Spread | None = None) -> Image.Image:
    """Draws a scene; position, scale, rotation, ground and clutter follow from `(seed, id)`.

    Returns:
        An RGB image of `size` × `size` pixels.
    """
    rng, spread = chance("picture", seed, id), spread or Spread()
    ground = _ground(rng, size, spread.clutter)
    side = _SIDE_BETWEEN_WORDS if scene.words else _SIDE
    at = tuple(_UNIT / 2 + rng.uniform(-spread.shift, spread.shift) for _ in range(2))
    scale = 1 + rng.uniform(-spread.stretch, spread.stretch)
    weights = _place(scene.name, side, scale, at, rng.uniform(-spread.turn, spread.turn), size)
    picture = _colour(weights, scene.colour, np.asarray(ground, np.float32))
    image = Image.fromarray(picture.round().clip(0, 255).astype(np.uint8), "RGB")
    if scene.words:
        _spell(image, scene.words, shift=(rng.uniform(-2, 2), rng.uniform(-2, 2)), size=size)
    return image


def png(image: Image.Image) -> bytes:
    """The image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


@cache
def _master(name: str, side: int) -> Image.Image:
    """The drawing in three tones, `side` pixels wide, with a margin in which any rotation stays inside."""
    pen = Pen(side * _SMOOTHING, side // 4 * _SMOOTHING)
    DRAWINGS[name](pen)
    return pen.image.reduce(_SMOOTHING)


def _place(name: str, nominal: float, scale: float, at: tuple[float, float], degrees: float, size: int) -> np.ndarray:
    """Tone weights of the object, float32 in [0, 1], size × size × 3."""
    unit = size / _UNIT
    side = round(nominal * unit * _MASTER)
    master = _master(name, side)
    per_pixel = side / (nominal * scale * unit)
    c, s = cos(radians(degrees)) * per_pixel, sin(radians(degrees)) * per_pixel
    x, y = at[0] * unit, at[1] * unit
    middle = master.width / 2
    inverse = (c, s, middle - c * x - s * y, -s, c, middle + s * x - c * y)
    placed = master.transform((size, size), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    return np.asarray(placed, np.float32) / 255


def _colour(weights: np.ndarray, colour: str, ground: np.ndarray) -> np.ndarray:
    ink = np.array(COLOURS[colour], np.float32)
    palette = np.stack((ink, _LIGHT, ink * 0.45))
    bare = 1 - weights @ np.ones((3, 1), np.float32)
    return bare * ground + weights @ palette


def _ground(rng: random.Random, size: int, clutter: int) -> Image.Image:
    ground = Image.new("RGB", (size, size), rng.choice(_GROUNDS))
    pencil = ImageDraw.Draw(ground)
    unit = size / _UNIT
    for _ in range(rng.randint(0, clutter)):
        along, across = rng.uniform(2, 110), rng.uniform(2, 7)
        x, y = rng.choice(((along, across), (along, 112 - across), (across, along), (112 - across, along)))
        grey = (rng.randint(150, 205),) * 3
        if rng.random() < 0.5:
            r = rng.uniform(1, 2.2)
            pencil.ellipse([v * unit for v in (x - r, y - r, x + r, y + r)], fill=grey)
        else:
            dx, dy = rng.uniform(-5, 5), rng.uniform(-5, 5)
            pencil.line([v * unit for v in (x, y, x + dx, y + dy)], fill=grey, width=max(1, round(1.5 * unit)))
    return ground


@cache
def _font(line: str, size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, as large as the line allows, at most `_LINE_HEIGHT` units high."""
    unit = size / _UNIT
    wide = ImageFont.load_default(100).getlength(line) / 100
    return ImageFont.load_default(min(_LINE_HEIGHT * unit, 98 * unit / wide))


def _spell(image: Image.Image, words: tuple[str, ...], shift: tuple[float, float], size: int) -> None:
    pencil, unit = ImageDraw.Draw(image), size / _UNIT
    for height, line in zip(_LINES, words, strict=False):
        at = ((_UNIT / 2 + shift[0]) * unit, (height + shift[1]) * unit)
        pencil.text(at, line, _WORDS_COLOUR, _font(line, size), anchor="mm", stroke_width=round(0.6 * unit))
