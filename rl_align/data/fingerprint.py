"""What makes two prompts the same prompt, and two pictures the same picture."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rl_align.data.images import decode_image
from rl_align.data.seen import digest
from rl_align.schema import ImageRef, Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Sides of the grey thumbnail that pictures are compared by.
THUMBNAIL = 32
#: A neighbour must be brighter by more than this (of 255) for its bit of the hash: noise on plain areas sets none.
_STEP = 4.0
#: Standard deviation of the thumbnail's grey values below which a picture shows nothing: blank pages, plain colours.
_PLAIN = 3.0


def text_key(prompt: str) -> bytes:
    """Hash (16 bytes) of a prompt's letters and digits in their order; case, spacing, punctuation and invisible marks do not count.

    A prompt without letters and digits is hashed as it stands.
    """
    words = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", prompt).casefold() if not _invisible(c))
    return digest(" ".join(words.split()) or prompt)


def _invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Mn", "Me")


def picture_key(image: ImageRef) -> bytes:
    """Hash (16 bytes) of the file's bytes. Raises OSError when it cannot be read."""
    return digest(image.read())


def item_key(item: Item) -> bytes:
    """Hash (16 bytes) of prompt and pictures: items that share it ask the same question about the same pictures."""
    return digest(text_key(item.prompt), *(picture_key(image) for image in item.images))


@dataclass(frozen=True)
class Look:
    """What a picture looks like, whatever file it is in.

    Attributes:
        key: Hash of the file's bytes, 16 bytes.
        bits: Difference hash, 64 bits: whether each of 8 × 8 areas is darker than the one to its right.
        thumbnail: Grey values, THUMBNAIL² of uint8.
        plain: Whether there is nothing to see.
    """

    key: bytes
    bits: int
    thumbnail: NDArray[np.uint8]
    plain: bool


def look(image: ImageRef) -> Look:
    """Decodes a picture and describes it. Raises DataError when it cannot be decoded."""
    from PIL import Image

    grey = decode_image(image).convert("RGB").convert("L")
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.float32)
    bits = np.packbits(np.diff(small, axis=1) > _STEP).tobytes()
    thumbnail = np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)).reshape(-1)
    return Look(picture_key(image), int.from_bytes(bits, "big"), thumbnail, float(thumbnail.std()) < _PLAIN)
