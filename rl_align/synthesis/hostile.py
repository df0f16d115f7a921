"""What comes from items, before it is sent anywhere: a reason why an item is not, and text made harmless."""

from __future__ import annotations

from rl_align.data.images import MAX_SOURCE_PIXELS, normalise_image
from rl_align.data.quarantine import DataError
from rl_align.schema import Item
from rl_align.synthesis.types import Fall, printable

STAGE = "item"


def unusable(item: Item, longest: int) -> Fall | None:
    """Why nothing can be asked about an item; None when it can. Decodes its pictures.

    Args:
        item: From anywhere.
        longest: Most characters of a prompt.
    """
    if not item.prompt.strip():
        return Fall(STAGE, "empty_prompt")
    if len(item.prompt) > longest:
        return Fall(STAGE, "prompt_too_long", f"{len(item.prompt)} characters, at most {longest}")
    for image in item.images:
        try:
            normalise_image(image, max_pixels=MAX_SOURCE_PIXELS)
        except DataError as error:
            return Fall(STAGE, error.reason, printable(error.detail))
    return None


def category(item: Item) -> str:
    """What an item is counted and balanced under: its first policy, `benign`, or `unknown`."""
    if item.policies:
        return item.policies[0]
    return "benign" if item.harmful is False else "unknown"
