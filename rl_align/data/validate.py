"""The gate between sources and datasets: items leave it with normalised pictures, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rl_align.data.images import ImageConfig, normalise_image
from rl_align.data.quarantine import DataError, Dropped, Quarantine
from rl_align.data.seen import Seen
from rl_align.schema import ImageRef, Item

EMPTY_PROMPT, NOT_UNICODE, DUPLICATE_ID = "empty_prompt", "not_unicode", "duplicate_id"


def text_problem(item: Item) -> str | None:
    """The reason why the words of an item cannot be used; None when they can."""
    if not item.prompt.strip():
        return EMPTY_PROMPT
    try:
        texts = (item.id, item.prompt, item.split, item.reference, item.rejected, item.twin, item.category, item.provenance)
        "".join(text or "" for text in texts).encode()
    except UnicodeEncodeError:
        return NOT_UNICODE
    return None


def validate(stream: Iterable[Item | Dropped], images: ImageConfig, quarantine: Quarantine) -> Iterator[Item]:
    """Passes on usable items with every picture normalised; what is not usable goes to the quarantine with its reason.

    An item is dropped whole when one of its pictures is: its prompt speaks of all of them.

    Raises:
        UserError: The image sizes asked for hold no picture.
    """
    kept = Seen()
    for item in quarantine.sift(stream):
        if reason := text_problem(item):
            quarantine.drop(item.id, reason)
            continue
        try:
            pictures = tuple(
                ImageRef(
                    data=normalise_image(
                        ref,
                        max_pixels=images.max_pixels,
                        min_pixels=images.min_pixels,
                        multiple_of=images.multiple_of,
                    )
                )
                for ref in item.images
            )
        except DataError as error:
            quarantine.drop(item.id, error.reason, error.detail)
            continue
        if not kept.add(item.id):
            quarantine.drop(item.id, DUPLICATE_ID)
            continue
        yield replace(item, images=pictures)
