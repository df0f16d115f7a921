"""Items and item files for the tests of datasets."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from rl_align.data.items import write_items
from rl_align.schema import Behaviour, ImageRef, Item


def first(made: Iterable[Item], *wanted: tuple[int, Callable[[Item], bool]]) -> list[Item]:
    """The first so many items of each kind, kind by kind. No more items are made than have to be looked at: each is a picture."""
    found: list[list[Item]] = [[] for _ in wanted]
    stream = iter(made)
    while any(len(some) < count for some, (count, _) in zip(found, wanted, strict=True)):
        item = next(stream)
        for some, (count, is_one) in zip(found, wanted, strict=True):
            if len(some) < count and is_one(item):
                some.append(item)
    return [item for some in found for item in some]


def drawing(seed: int, size: int = 112) -> Image.Image:
    """A picture with something to see; another seed, another picture."""
    rng = random.Random(seed)
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = rng.randrange(size - 30), rng.randrange(size - 30)
        colour = tuple(rng.randrange(220) for _ in range(3))
        draw.rectangle((x, y, x + rng.randrange(10, 30), y + rng.randrange(10, 30)), fill=colour)
    return image


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> ImageRef:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return ImageRef(data=buffer.getvalue())


def picture(seed: int) -> ImageRef:
    return encoded(drawing(seed))


def item(key: str, prompt: str = "", *images: ImageRef, **fields: Any) -> Item:
    """An item of a dataset that no registry knows."""
    known: dict[str, Any] = {"dataset": "own", "split": "train", "expected": (Behaviour.COMPLY,), "harmful": False}
    return Item(id=key, images=images, prompt=prompt or f"What is {key}?", **{**known, **fields})


def stored(path: Path, *items: Item) -> Path:
    write_items(path, items)
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Name → bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
