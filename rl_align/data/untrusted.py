"""Texts and pictures from datasets and models, made fit for a page: bounded, without control characters, re-encoded."""

from __future__ import annotations

import base64
import io
import unicodedata
import warnings
from pathlib import Path

from rl_align.data.images import FORMATS

MAX_TEXT = 1500
MAX_EDGE = 168
#: Encoded pictures larger than this are not opened.
MAX_BYTES = 20_000_000
_MAX_PIXELS = 40_000_000


def shown(text: object, limit: int = MAX_TEXT) -> str:
    """A text for people: control and direction-changing characters become "�", the rest is cut at `limit` characters."""
    text = "" if text is None else str(text)
    cut = text[:limit]
    clean = cut if cut.isprintable() else "".join("�" if hidden(c) else c for c in cut)
    return clean if len(text) <= limit else f"{clean} … ({len(text) - limit} more characters)"


def hidden(character: str) -> bool:
    """Whether a character is invisible and may change what is seen of others: control, format, and half a surrogate pair."""
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs")


def picture(data: bytes | None, edge: int = MAX_EDGE) -> str | None:
    """A data URI of a small PNG of an image; None when it cannot be shown."""
    png = small_png(data, edge)
    return png and "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def small_png(data: bytes | None, edge: int = MAX_EDGE) -> bytes | None:
    """An image as PNG with sides of at most `edge` pixels, encoded anew; None when it cannot be shown."""
    if not data or len(data) > MAX_BYTES:
        return None
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > _MAX_PIXELS:
                return None
            image = image.convert("RGB")
            image.thumbnail((edge, edge))
            out = io.BytesIO()
            image.save(out, "PNG", optimize=True)
    except Exception:  # Pillow's decoders raise whatever they like on broken input; a page without a picture is still a page
        return None
    return out.getvalue()


def picture_file(root: Path, relative: object) -> str | None:
    """As `picture`, for a file below `root`; anything outside is not opened."""
    return picture(file_below(root, relative))


def file_below(root: Path, relative: object) -> bytes | None:
    """The content of a picture's file below `root`; None for one that is too large. Anything outside is not opened."""
    if not isinstance(relative, str):
        return None
    try:
        root = root.resolve()
        path = (root / relative).resolve()
        if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        return path.read_bytes()
    except (OSError, ValueError):
        return None  # a name that no file can have, or a file that is gone
