"""Evaluation items that training data would give away.

An evaluation item is contaminated by a training item when

* `prompt`: it has no picture, and the training item has its prompt (whatever picture stands beside it there). The prompt is
  all there is of the item.
* `picture`: one of its pictures, unless it is plain, is in the training item. The risk of an item lies in its picture or in the
  pair, benchmarks put several questions to one picture, and an answer learnt for one carries over to the others.
* `pair`: it has the same prompt and the same pictures, plain ones included.

A prompt alone does not contaminate an item with a picture: whole benchmarks share one carrier sentence ("The image shows a
list …"), and templates are what procedural data consist of.

Prompts are compared by letters and digits (`fingerprint.text_key`); pictures by their bytes, and by what they look like, so that
copies that were recompressed are found. Copies that were cropped, mirrored or shrunk to thumbnails are not.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rl_align.data.files import replacing
from rl_align.data.fingerprint import Look, look, text_key
from rl_align.data.untrusted import shown
from rl_align.schema import Item

PROMPT, PICTURE, PAIR = "prompt", "picture", "pair"

#: Two pictures are one when at most so many of 64 bits differ, and their thumbnails' grey values by no more than this, on average
#: and anywhere. Measured: pictograms recompressed as JPEG of quality 30 differ by up to 3 bits, 2.3 and 17; FigStep's pictures by
#: 1, 1.4 and 16; photographs by 2, 0.9 and 7. Different pictograms of the same thing differ by 2.1 and 38 at least.
_BITS, _MEAN, _MOST = 8, 4.0, 34


@dataclass(frozen=True)
class Hit:
    """One evaluation item that one training item gives away, and by which rule."""

    evaluation: str
    evaluation_set: str
    training: str
    training_set: str
    rule: str


@dataclass(frozen=True)
class _Guarded:
    name: str
    dataset: str
    pictures: tuple[int, ...]


class Evaluation:
    """What may not be trained on. Holds some 1.2 kB of memory for a picture and 0.3 kB for an item."""

    def __init__(self) -> None:
        self._items: list[_Guarded] = []
        self._texts: dict[bytes, list[int]] = {}
        self._owners: list[list[int]] = []
        self._plain: list[bool] = []
        self._keys: dict[bytes, int] = {}
        self._bits: list[int] = []
        self._thumbnails: list[np.ndarray] = []
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item, dataset: str) -> None:
        """Guards one item. Raises DataError when a picture cannot be decoded."""
        looks = [look(image) for image in item.images]
        number = len(self._items)
        pictures = tuple(self._picture(seen) for seen in looks)
        for picture in dict.fromkeys(pictures):
            self._owners[picture].append(number)
        self._items.append(_Guarded(item.id, dataset, pictures))
        self._texts.setdefault(text_key(item.prompt), []).append(number)

    def hits(self, item: Item, text: bytes, looks: Iterable[Look], dataset: str) -> Iterator[Hit]:
        """The items that a training item gives away, each once.

        Args:
            item: The training item.
            text: `text_key` of its prompt.
            looks: What its pictures look like.
            dataset: What it is from.
        """
        same = [self._same(seen) for seen in looks]
        rules = {owner: PICTURE for found in same for p in found if not self._plain[p] for owner in self._owners[p]}
        for number in self._texts.get(text, ()):
            pictures = self._items[number].pictures
            if not pictures:
                rules[number] = PROMPT
            elif len(pictures) == len(same) and all(p in found for p, found in zip(pictures, same, strict=True)):
                rules[number] = PAIR
        for number, rule in sorted(rules.items()):
            guarded = self._items[number]
            yield Hit(guarded.name, guarded.dataset, item.id, dataset, rule)

    def _picture(self, seen: Look) -> int:
        if seen.key not in self._keys:
            self._keys[seen.key] = len(self._bits)
            self._bits.append(seen.bits)
            self._thumbnails.append(seen.thumbnail)
            self._plain.append(seen.plain)
            self._owners.append([])
            self._arrays = None
        return self._keys[seen.key]

    def _same(self, seen: Look) -> set[int]:
        """The guarded pictures that look like one: a difference hash chooses candidates, the thumbnails decide."""
        found = {self._keys[seen.key]} if seen.key in self._keys else set()
        if not self._bits:
            return found
        if self._arrays is None:
            self._arrays = np.array(self._bits, dtype=np.uint64), np.stack(self._thumbnails)
        bits, thumbnails = self._arrays
        near = np.flatnonzero(np.bitwise_count(bits ^ np.uint64(seen.bits)) <= _BITS)
        apart = np.abs(thumbnails[near].astype(np.int16) - seen.thumbnail.astype(np.int16))
        alike = (apart.mean(axis=1) <= _MEAN) & (apart.max(axis=1, initial=0) <= _MOST)
        return found | {int(p) for p in near[alike]}


class Hits:
    """The contamination that was found: the first ones in memory, all of them on the disk."""

    _FIRST, _IN_MEMORY = 20, 2**20

    def __init__(self) -> None:
        self.count = 0
        self._first: list[Hit] = []
        self._spool = tempfile.SpooledTemporaryFile(max_size=self._IN_MEMORY)

    def add(self, found: list[Hit]) -> None:
        """Takes what one training item gives away."""
        self.count += len(found)
        self._first += found[: self._FIRST - len(self._first)]
        for hit in found:
            self._spool.write(json.dumps(asdict(hit)).encode("ascii") + b"\n")

    def shown(self) -> list[str]:
        """The first ones as lines for the console."""
        lines = []
        for hit in self._first:
            evaluation, training = f"{hit.evaluation_set}: {hit.evaluation}", f"{hit.training_set}: {hit.training}"
            lines.append(f"  {shown(evaluation, 120)}  ←  {shown(training, 120)}  ({hit.rule})")
        return lines + ["  …"] * (self.count > len(self._first))

    def save(self, path: Path) -> None:
        """Writes all of them as JSON lines. Raises UserError when the file cannot be written."""
        self._spool.seek(0)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(self._spool, file)
