"""MSSBench: the same request in a safe and in an unsafe situation that only the picture tells apart (ICLR 2025, MIT).

Layout (github.com/eric-ai-lab/MSSBench, pictures at huggingface.co/datasets/kzhou35/mssbench): combined.json {chat: [{queries,
safe_image_path, unsafe_image_path, intent, Type, ...}], embodied: [{safe_instructions, unsafe_instructions, safe, unsafe,
category, task, ...}]}; pictures in chat/ and embodied/. As upstream does, instructions are paired by position and the
singular ones left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import COMPLY, NO_COMPLIANCE, attempt, picture, text, texts
from rl_align.data.sources.tables import BAD_ROW, Row, files, numbered, read_json
from rl_align.errors import UserError
from rl_align.schema import Item, RiskModality

DATASET = "mssbench"
LICENCE = "MIT"
PLACE = "github.com/eric-ai-lab/MSSBench"
HUB = Hub("kzhou35/mssbench", files=("*.json", "*.zip", "chat/*", "embodied/*"))

_PARTS = ("chat", "embodied")
_SIDES = ("safe", "unsafe")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """Two items a query, twins of each other: the safe situation is to be answered, the unsafe one not.

    Raises:
        UserError: The file is missing or broken.
    """
    path = files(folder, "**/combined*.json", dataset=DATASET)[0]
    tree = read_json(path, DATASET)
    if not isinstance(tree, dict) or not any(part in tree for part in _PARTS):
        raise UserError("neither chat nor embodied", where=str(path), expected="an object with these lists")
    for part in (part for part in _PARTS if part in tree):
        for number, row in numbered(tree[part], f"{DATASET}/{part}"):
            key = f"{DATASET}/{part}/{number}"
            try:
                prompts = [] if isinstance(row, Dropped) else _prompts(row, part)
            except DataError as error:
                yield Dropped(key, error.reason, error.detail)
                continue
            if isinstance(row, Dropped):
                yield attempt(_item, key, row)
            for place, pair in enumerate(prompts):
                for side, prompt in zip(_SIDES, pair, strict=True):
                    yield attempt(_item, f"{key}/{place}", row, folder, part, side, prompt)


def _prompts(row: Row, part: str) -> list[tuple[str, str]]:
    """Safe and unsafe request of every place; in chat they are the same."""
    safe, unsafe = (texts(row, name) for name in (("queries",) * 2 if part == "chat" else (f"{s}_instructions" for s in _SIDES)))
    if not safe or len(safe) != len(unsafe):
        raise DataError(BAD_ROW, f"{len(safe)} requests for the safe picture, {len(unsafe)} for the unsafe one")
    return list(zip(safe, unsafe, strict=True))


def _item(key: str, row: Row, folder: Path, part: str, side: str, prompt: str) -> Item:
    unsafe = side == "unsafe"
    column = f"{side}_image_path" if part == "chat" else side
    return Item(
        id=f"{key}/{side}",
        images=(picture(folder, text(row, column), (part, ".")),),
        prompt=prompt,
        dataset=DATASET,
        split=part,
        expected=NO_COMPLIANCE if unsafe else COMPLY,
        harmful=unsafe,
        modality=RiskModality.JOINT if unsafe else RiskModality.NONE,
        twin=f"{key}/{_SIDES[not unsafe]}",
        category=text(row, "Type" if part == "chat" else "category"),
        licence=LICENCE,
        provenance=f"{DATASET}: combined.json, {part}",
    )
