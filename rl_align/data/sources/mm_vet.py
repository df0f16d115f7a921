"""MM-Vet: open questions that need several abilities at once (ICML 2024, data CC BY-NC 4.0).

Layout (github.com/yuweihao/MM-Vet, the zip of the release): mm-vet.json {"v1_0": {imagename, question, answer, imagesource,
capability}} and images/. In an answer `<AND>` joins what must be said and `<OR>` what may be said instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import COMPLY, attempt, picture, text, texts
from rl_align.data.sources.tables import Row, files, read_records
from rl_align.schema import Item

DATASET = "mm_vet"
LICENCE = "CC-BY-NC-4.0"
PLACE = "github.com/yuweihao/MM-Vet"
FULL = {"": 218}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question; the first alternative of its answer is the reference.

    Raises:
        UserError: The file is missing or broken.
    """
    for path in files(folder, "mm-vet*.json", dataset=DATASET):
        for name, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{name}", row, folder)


def _item(key: str, row: Row, folder: Path) -> Item:
    alternatives = [[part.strip() for part in way.split("<AND>")] for way in text(row, "answer").split("<OR>")]
    return Item(
        id=key,
        images=(picture(folder, text(row, "imagename"), ("images", ".")),),
        prompt=text(row, "question"),
        dataset=DATASET,
        split="test",
        expected=COMPLY,
        harmful=False,
        reference=", ".join(alternatives[0]),
        category="+".join(sorted(texts(row, "capability"))),
        licence=LICENCE,
        provenance=f"{DATASET}: {text(row, 'imagesource')}",
        truth={"answers": alternatives},
    )
