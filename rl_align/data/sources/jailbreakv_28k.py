"""JailBreakV-28K: jailbreaks carried over to pictures, and its plain red-team questions (arXiv 2404.03027, MIT).

Layout (huggingface.co/datasets/JailbreakV-28K/JailBreakV-28k): JailBreakV_28K.csv, mini_JailBreakV_28K.csv (280 of them) with
id, jailbreak_query, redteam_query, format, policy, image_path, from, selected_mini, transfer_from_llm; RedTeam_2K.csv with
id, question, policy, from; pictures by format beside them. One policy is called "Child Abuse" and "Child Abuse Content".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rl_align.data.hub.place import Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import NO_COMPLIANCE, attempt, ident, one_of, picture, text
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.policy.crosswalk import cited
from rl_align.schema import Item, RiskModality

DATASET = "jailbreakv_28k"
LICENCE = "MIT"
PLACE = "huggingface.co/datasets/JailbreakV-28K/JailBreakV-28k"
HUB = Hub("JailbreakV-28K/JailBreakV-28k", files=("*.csv", "*.png", "*.jpg", "*.zip"))
FULL = {"attacks": 28_000, "redteam_2k": 2000}

#: Format of an attack → where its risk stands.
FORMATS = {
    "Template": RiskModality.TEXT,
    "Persuade": RiskModality.TEXT,
    "Logic": RiskModality.TEXT,
    "figstep": RiskModality.IMAGE,
    "SD": RiskModality.JOINT,
    "SD_typo": RiskModality.JOINT,
    "typo": RiskModality.IMAGE,
}
_COLUMNS = ("id", "jailbreak_query", "redteam_query", "format", "policy", "image_path")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item an attack (split attacks) and one a plain question (split redteam_2k).

    The mini file is read only where the full one is missing.

    Raises:
        UserError: None of the files is there, or one is broken.
    """
    found = files(folder, "**/JailBreakV_28K*.csv", "**/mini_JailBreakV_28K*.csv", "**/RedTeam_2K*.csv", dataset=DATASET)
    whole = any(path.name.startswith("JailBreakV") for path in found)
    for path in found:
        if path.name.startswith("RedTeam"):
            for number, row in enumerate(read_table(path, ("id", "question", "policy"), DATASET)):
                yield attempt(_question, f"{DATASET}/redteam_2k/{number}", row, path.name)
        elif not (whole and path.name.startswith("mini")):
            for number, row in enumerate(read_table(path, _COLUMNS, DATASET)):
                yield attempt(_attack, f"{DATASET}/attacks/{number}", row, folder, path.name)


def _attack(key: str, row: Row, folder: Path, table: str) -> Item:
    kind = one_of(row, "format", FORMATS)
    return Item(
        id=f"{DATASET}/attacks/{ident(row, 'id')}",
        images=(picture(folder, row["image_path"], (".", "JailBreakV_28K")),),
        prompt=text(row, "jailbreak_query"),
        dataset=DATASET,
        split="attacks",
        expected=NO_COMPLIANCE,
        citations=cited("jailbreakv_28k", row["policy"]),
        harmful=True,
        modality=FORMATS[kind],
        category=f"{kind}/{row['policy']}",
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
        truth={"redteam_query": text(row, "redteam_query")},
    )


def _question(key: str, row: Row, table: str) -> Item:
    return Item(
        id=f"{DATASET}/redteam_2k/{ident(row, 'id')}",
        images=(),
        prompt=text(row, "question"),
        dataset=DATASET,
        split="redteam_2k",
        expected=NO_COMPLIANCE,
        citations=cited("jailbreakv_28k", row["policy"]),
        harmful=True,
        modality=RiskModality.TEXT,
        category=row["policy"],
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
    )
