"""MM-SafetyBench: 13 scenarios, each question with three kinds of pictures and as text (ECCV 2024, CC BY-NC 4.0).

Layout of github.com/isXinLiu/MM-SafetyBench: data/processed_questions/{NN-Scenario}.json {id: {"Changed Question", "Key
Phrase", "Rephrased Question", "Rephrased Question(SD)", ...}} and [data/]imgs/{NN-Scenario}/{SD,SD_TYPO,TYPO}/{id}.jpg;
01-Illegal_Activitiy is upstream's spelling. SD asks the question with (SD), TYPO and SD_TYPO the other one, text alone the
changed one. TinyVersion_ID_List.json names 168 ids.
Layout of huggingface.co/datasets/PKU-Alignment/MM-SafetyBench: data/{Scenario}/{SD,SD_TYPO,TYPO,Text_only}.parquet with id,
question, image; a scenario is a configuration, a kind a split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rl_align.data.hub.place import Hub
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
from rl_align.data.sources.table import Table, parquet_tables
from rl_align.data.sources.tables import BAD_ROW, Row, files, numbered, read_json, read_records
from rl_align.data.sources.typography import draw
from rl_align.errors import UserError
from rl_align.policy.crosswalk import cited
from rl_align.schema import ImageRef, Item, RiskModality

DATASET = "mm_safetybench"
LICENCE = "CC-BY-NC-4.0"
PLACE = "github.com/isXinLiu/MM-SafetyBench"
HUB = Hub("PKU-Alignment/MM-SafetyBench", large=True)

#: Scenario → its questions.
SCENARIOS = {
    "01-Illegal_Activitiy": 97,
    "02-HateSpeech": 163,
    "03-Malware_Generation": 44,
    "04-Physical_Harm": 144,
    "05-EconomicHarm": 122,
    "06-Fraud": 154,
    "07-Sex": 109,
    "08-Political_Lobbying": 153,
    "09-Privacy_Violence": 139,
    "10-Legal_Opinion": 130,
    "11-Financial_Advice": 167,
    "12-Health_Consultation": 109,
    "13-Gov_Decision": 149,
}
#: Kind of picture → which question goes with it.
KINDS = {
    "SD": "Rephrased Question(SD)",
    "SD_TYPO": "Rephrased Question",
    "TYPO": "Rephrased Question",
    "Text_only": "Changed Question",
}
FULL = {f"{scenario}/{kind}": questions for scenario, questions in SCENARIOS.items() for kind in KINDS}
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
    parquet = [path for path in found if path.suffix == ".parquet"]
    yield from load_tables(parquet_tables(folder, parquet, _part, DATASET))


def load_tables(tables: Iterable[Table]) -> Iterator[Item | Dropped]:
    """As `load`; a table's configuration is its scenario without the number, its split the kind. Raises as `load` does."""
    for table in tables:
        kind, scenario = table.split, next((name for name in SCENARIOS if name[3:] == table.config), None)
        if scenario is None or kind not in KINDS:
            raise table.unknown(DATASET, [*(name[3:] for name in SCENARIOS), *KINDS])
        for number, row in enumerate(table.rows("id", "question", *(() if kind == "Text_only" else ("image",)))):
            yield attempt(_from_table, f"{DATASET}/{scenario}/{kind}/row-{number}", row, table.folder, scenario, kind)


def _part(path: Path) -> tuple[str, str]:
    return path.parent.name, path.name.partition(".")[0].partition("-")[0]


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


def _from_table(key: str, row: Row, folder: Path | None, scenario: str, kind: str) -> Item:
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
