"""MM-SafetyBench: 13 scenarios, each question with three kinds of pictures and as text (ECCV 2024, CC BY-NC 4.0).

Layout of github.com/isXinLiu/MM-SafetyBench: data/processed_questions/{NN-Scenario}.json {id: {"Changed Question", "Key
Phrase", "Rephrased Question", "Rephrased Question(SD)", ...}} and [data/]imgs/{NN-Scenario}/{SD,SD_TYPO,TYPO}/{id}.jpg;
01-Illegal_Activitiy is upstream's spelling. SD asks the question with (SD), TYPO and SD_TYPO the other one, text alone the
changed one. TinyVersion_ID_List.json names 168 ids.
Layout of huggingface.co/datasets/PKU-Alignment/MM-SafetyBench: data/{Scenario}/{SD,SD_TYPO,TYPO,Text_only}.parquet with id,
question, image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources.fields import (
    CAUTION,
    IMAGE_NOT_LOCAL,
    NO_COMPLIANCE,
    attempt,
    embedded,
    ident,
    one_of,
    picture,
    text,
    texts,
)
from rl_align.data.sources.tables import BAD_ROW, Row, files, numbered, read_json, read_parquet, read_records
from rl_align.data.sources.typography import draw
from rl_align.errors import UserError
from rl_align.policy.crosswalk import cited
from rl_align.schema import ImageRef, Item, RiskModality

DATASET = "mm_safetybench"
LICENCE = "CC-BY-NC-4.0"

SCENARIOS = (
    "01-Illegal_Activitiy",
    "02-HateSpeech",
    "03-Malware_Generation",
    "04-Physical_Harm",
    "05-EconomicHarm",
    "06-Fraud",
    "07-Sex",
    "08-Political_Lobbying",
    "09-Privacy_Violence",
    "10-Legal_Opinion",
    "11-Financial_Advice",
    "12-Health_Consultation",
    "13-Gov_Decision",
)
#: Kind of picture → which question goes with it.
KINDS = {
    "SD": "Rephrased Question(SD)",
    "SD_TYPO": "Rephrased Question",
    "TYPO": "Rephrased Question",
    "Text_only": "Changed Question",
}
_ADVICE = ("10", "11", "12")


def load(folder: Path, *, tiny: bool = False) -> Iterator[Item | Dropped]:
    """Four items a question: SD, SD_TYPO, TYPO, Text_only. TYPO pictures that are not there are redrawn.

    Advice on law, money and health asks for caution, the other ten scenarios for no compliance.

    Args:
        folder: Root of a local copy in either layout.
        tiny: Only the ids of upstream's tiny version; for the layout that has its list.

    Raises:
        UserError: No question files, one is broken, or the tiny list is.
    """
    found = files(folder, "**/processed_questions/*.json", *(f"**/{kind}*.parquet" for kind in KINDS), dataset=DATASET)
    kept = _tiny(folder) if tiny else None
    for path in found:
        if path.suffix == ".json":
            scenario = path.name.removesuffix(".json")
            if scenario not in SCENARIOS:
                raise UserError(f"unknown scenario {scenario!r}", where=str(path), expected=f"one of {', '.join(SCENARIOS)}")
            for number, row in read_records(path, DATASET):
                for kind in KINDS if kept is None or number in kept[scenario] else ():
                    yield attempt(_from_json, f"{DATASET}/{scenario}/{kind}/{number}", row, folder, scenario, kind, number)
        else:
            kind = path.name.partition(".")[0].partition("-")[0]
            scenario = next((name for name in SCENARIOS if name[3:] == path.parent.name), None)
            if scenario is None or kind not in KINDS:
                raise UserError("unknown scenario or kind", where=str(path), expected="data/{scenario}/{kind}.parquet")
            for number, row in enumerate(read_parquet(path, ("id", "question", "image"), DATASET)):
                yield attempt(_from_parquet, f"{DATASET}/{scenario}/{kind}/{number}", row, folder, scenario, kind)


def _tiny(folder: Path) -> dict[str, set[str]]:
    path = files(folder, "**/TinyVersion_ID_List.json", dataset=DATASET)[0]
    kept: dict[str, set[str]] = {name: set() for name in SCENARIOS}
    try:
        for _, row in numbered(read_json(path, DATASET), path.name):
            if isinstance(row, Dropped):
                raise DataError(BAD_ROW, row.detail)
            ids = row.get("Sampled_ID_List")
            names = [str(i) if isinstance(i, int) else i for i in ids] if isinstance(ids, list) else ids
            kept[one_of(row, "Scenario", SCENARIOS)].update(texts({"Sampled_ID_List": names}, "Sampled_ID_List"))
    except DataError as error:
        raise UserError(str(error), where=str(path)) from error
    return kept


def _from_json(key: str, row: Row, folder: Path, scenario: str, kind: str, number: str) -> Item:
    if not (number.isascii() and number.isdecimal()):
        raise DataError(BAD_ROW, f"id {number[:80]!r} is not a number")
    if kind == "Text_only":
        return _item(key, scenario, kind, text(row, KINDS[kind]), ())
    redrawn = {}
    try:
        image = picture(folder, f"{scenario}/{kind}/{number}.jpg", ("imgs", "data/imgs"))
    except DataError as error:
        if kind != "TYPO" or error.reason != IMAGE_NOT_LOCAL:
            raise
        image = ImageRef(data=draw(text(row, "Key Phrase")))
        redrawn = {"provenance": f"{DATASET}: {scenario}, TYPO redrawn"}
    return _item(key, scenario, kind, text(row, KINDS[kind]), (image,), **redrawn)


def _from_parquet(key: str, row: Row, folder: Path, scenario: str, kind: str) -> Item:
    images = () if kind == "Text_only" else (embedded(row, "image", folder),)
    return _item(f"{DATASET}/{scenario}/{kind}/{ident(row, 'id')}", scenario, kind, text(row, "question"), images)


def _item(key: str, scenario: str, kind: str, prompt: str, images: tuple[ImageRef, ...], **fields: Any) -> Item:
    return Item(
        id=key,
        images=images,
        prompt=prompt,
        dataset=DATASET,
        split=kind,
        expected=CAUTION if scenario[:2] in _ADVICE else NO_COMPLIANCE,
        citations=cited("mm_safetybench", scenario[3:]),
        harmful=True,
        modality=RiskModality.IMAGE if images else RiskModality.TEXT,
        category=scenario,
        licence=LICENCE,
        **{"provenance": f"{DATASET}: {scenario}", **fields},
    )
