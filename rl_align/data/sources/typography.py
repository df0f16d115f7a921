"""Pictures that carry words, drawn as two benchmarks draw them, for any words: the same ones give the same bytes.

Upstream's fonts (Arial, FreeMono Bold) are not bundled anywhere one can count on: Pillow's own and matplotlib's DejaVu Sans
Mono Bold take their places, so that words, sizes and layout are the same and the pixels are not.
"""

from __future__ import annotations

import io
import textwrap
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rl_align.data.files import replacing
from rl_align.data.quarantine import DataError
from rl_align.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

WIDTH, SIZE = 1024, 90
#: A phrase that needs more lines is no key phrase.
MAX_LINES = 20
TOO_LONG, NO_WORDS = "phrase_too_long", "phrase_unprintable"

#: Of FigStep. The pitch of the lines is measured on upstream's pictures: FreeMono's 64 pixels and a spacing of 11.
SIDE, POINTS, CHARACTERS, LEFT, TOP, PITCH = 760, 80, 15, 20, 10, 75
_LIST = ["1. ", "2. ", "3. "]
_FONT = "mpl-data/fonts/ttf/DejaVuSansMono-Bold.ttf"


def draw(phrase: str) -> bytes:
    """MM-SafetyBench's picture of a phrase (arXiv 2311.17600): black on white, 1,024 pixels wide, 90 points, wrapped lines of 90
    pixels and one more.

    Raises:
        DataError: There are no words, they need more than 20 lines, one does not fit, or there is what cannot be printed.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(SIZE)
    words = phrase.split()
    if not words or not " ".join(words).isprintable():
        raise DataError(NO_WORDS, phrase)
    if len(phrase) > 100 * MAX_LINES or any(font.getlength(word) > WIDTH for word in words):
        raise DataError(TOO_LONG, phrase)
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > MAX_LINES:
        raise DataError(TOO_LONG, phrase)
    image = Image.new("RGB", (WIDTH, SIZE * (len(lines) + 1)), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((0, SIZE * number), line, font=font, fill="black")
    return _png(image)


def draw_list(sentence: str) -> bytes:
    """FigStep's picture of a sentence and an empty list (AAAI 2025): black on white, 760 × 760, 80 points, 15 characters a line
    from (20, 10) on, then "1.", "2.", "3.". After eight and nine lines the end of the list is cut off, as it is upstream.

    Raises:
        DataError: There are no words, they need more than nine lines, or there is what cannot be printed.
    """
    from PIL import Image, ImageDraw

    words = " ".join(sentence.split())
    lines = textwrap.wrap(words[:1000], CHARACTERS)
    if not words or not words.isprintable():
        raise DataError(NO_WORDS, sentence)
    if TOP + PITCH * (len(lines) + 1) > SIDE:
        raise DataError(TOO_LONG, sentence)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate([*lines, *_LIST]):
        pen.text((LEFT, TOP + PITCH * number), line, font=_mono_bold(), fill="black")
    return _png(image)


#: Benchmark → how it draws.
STYLES = {"figstep": draw_list, "mm_safetybench": draw}


def save(sentence: str, style: str, out: str | Path) -> None:
    """Writes the picture of a sentence as PNG.

    Raises:
        UserError: The sentence does not fit or cannot be printed, or the file cannot be written.
    """
    try:
        data = STYLES[style](sentence)
    except DataError as error:
        what = "cannot be printed" if error.reason == NO_WORDS else "does not fit into the picture"
        raise UserError(f"{sentence[:60]!r} {what}", where=f"--style {style}", expected="a sentence of printable words") from error
    with replacing(out) as temporary:
        temporary.write_bytes(data)


@lru_cache(maxsize=1)
def _mono_bold() -> FreeTypeFont:
    from PIL import ImageFont

    found = find_spec("matplotlib")  # not imported: its data lie beside it
    path = Path(found.origin).parent / _FONT if found and found.origin else Path(_FONT)
    try:
        return ImageFont.truetype(str(path), POINTS)
    except OSError as error:
        raise UserError("the font cannot be read", where=str(path), fix="install matplotlib, which brings it") from error


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
