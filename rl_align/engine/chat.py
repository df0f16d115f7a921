"""Messages as chat templates take them."""

from __future__ import annotations


def parts(content: str) -> list[dict[str, str]]:
    """A message's text with `<image>` markers as a list of parts."""
    pieces = content.split("<image>")
    parts: list[dict[str, str]] = []
    for i, piece in enumerate(pieces):
        if i:
            parts.append({"type": "image"})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts
