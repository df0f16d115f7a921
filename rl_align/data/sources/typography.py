"""MM-SafetyBench's typographic picture of a phrase, redrawn: black on white, 1,024 pixels wide, 90 points.

After upstream's description (arXiv 2311.17600): wrapped lines, 90 pixels each and one more. Its font Arial is not free;
Pillow's own is used, so that the words are the same and the pixels are not.
"""

from __future__ import annotations

import io

from rl_align.data.quarantine import DataError

WIDTH, SIZE = 1024, 90
#: A phrase that needs more lines is no key phrase.
MAX_LINES = 20
TOO_LONG = "phrase_too_long"


def draw(phrase: str) -> bytes:
    """The PNG. The same phrase gives the same bytes.

    Raises:
        DataError: The phrase needs more than 20 lines, or a word does not fit.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(SIZE)
    words = phrase.split()
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
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
