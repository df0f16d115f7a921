"""MOSSBench: benign pictures and questions that oversensitive models refuse (arXiv 2406.17806, CC BY-SA 4.0, test only).

Layout (github.com/xirui-li/MOSSBench): data/images_information/information.json {pid: {image, question, pid, metadata {over
"type 1|2|3", ...}, ...}} and data/images/{pid}.png; unsafe contrasts in data_contrast/ of the same form. Numbers of pictures
are not contiguous, and not every copy has every picture. The makers forbid training on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, ident, picture, text
from rl_align.data.sources.tables import BAD_ROW, Row, files, read_records
from rl_align.schema import Item, RiskModality

DATASET = "mossbench"
LICENCE = "CC-BY-SA-4.0"
PLACE = "github.com/xirui-li/MOSSBench"
FULL = {"data": 300, "data_contrast": 244}

_KINDS = {
    "type 1": "Exaggerated Risk",
    "type 2": "Negated Harm",
    "type 3": "Counterintuitive Interpretation",
}


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a question. Answering is right, but for the contrasts.

    Raises:
        UserError: The file of questions is missing or broken.
    """
    pattern = "images_information/information*.json"
    for path in files(folder, f"data/{pattern}", f"data_contrast/{pattern}", dataset=DATASET):
        part = path.parent.parent.name
        for pid, row in read_records(path, DATASET):
            yield attempt(_item, f"{DATASET}/{part}/{pid}", row, folder, part)


def _item(key: str, row: Row, folder: Path, part: str) -> Item:
    contrast = part == "data_contrast"
    metadata = row.get("metadata")
    over = metadata.get("over") if isinstance(metadata, dict) else None
    if not contrast and (not isinstance(over, str) or over not in _KINDS):
        raise DataError(BAD_ROW, f"metadata.over {str(over)[:80]!r} is none of {', '.join(_KINDS)}")
    ident(row, "pid")
    return Item(
        id=key,
        images=(picture(folder, text(row, "image"), (part,)),),
        prompt=text(row, "question"),
        dataset=DATASET,
        split="contrast" if contrast else "test",
        expected=NO_COMPLIANCE if contrast else COMPLY,
        harmful=contrast,
        modality=RiskModality.JOINT if contrast else RiskModality.NONE,
        category=None if contrast else _KINDS[over],
        licence=LICENCE,
        provenance=f"{DATASET}: {part}/images_information",
    )
