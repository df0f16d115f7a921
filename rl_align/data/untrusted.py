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
    clean = "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "�" for c in cut)
    return clean if len(text) <= limit else f"{clean} … ({len(text) - limit} more characters)"


def picture(data: bytes | None) -> str | None:
    """A data URI of a small PNG of an image; None when it cannot be shown."""
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
            image.thumbnail((MAX_EDGE, MAX_EDGE))
            out = io.BytesIO()
            image.save(out, "PNG", optimize=True)
    except Exception:  # Pillow's decoders raise whatever they like on broken input; a page without a picture is still a page
        return None
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def picture_file(root: Path, relative: object) -> str | None:
    """As `picture`, for a file below `root`; anything outside is not opened."""
    if not isinstance(relative, str):
        return None
    root = root.resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    return picture(path.read_bytes())
