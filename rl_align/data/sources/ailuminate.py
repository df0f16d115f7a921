"""AILuminate v1.0 demo prompts in English and French, text only (MLCommons, CC BY 4.0).

Layout (github.com/mlcommons/ailuminate): airr_official_*_prompt_set_release.csv with release_prompt_id, prompt_text, hazard,
persona, locale, prompt_hash. The headers are lower case in the files and not in upstream's README; any case is read. Among
the hazards is spc_lgl, which that README leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rl_align.data.quarantine import Dropped
from rl_align.data.sources.fields import CAUTION, NO_COMPLIANCE, attempt, ident, one_of, text
from rl_align.data.sources.tables import Row, files, read_table
from rl_align.policy.crosswalk import cited, taxonomies
from rl_align.schema import Item, RiskModality

DATASET = "ailuminate"
LICENCE = "CC-BY-4.0"
PLACE = "github.com/mlcommons/ailuminate"
FULL = {"en_US": 1200, "fr_FR": 1200}

_COLUMNS = ("release_prompt_id", "prompt_text", "hazard", "persona", "locale")
_LOCALE = re.compile(r"_([a-z]{2})_([a-z]{2})_prompt")


def load(folder: Path) -> Iterator[Item | Dropped]:
    """One item a prompt, every locale present. Specialised advice asks for caution, all else for no compliance.

    Raises:
        UserError: No prompt file, or one is broken.
    """
    for table in files(folder, "airr_official_*.csv", dataset=DATASET):
        found = _LOCALE.search(table.name)
        part = f"{found[1]}_{found[2].upper()}" if found else table.stem
        for number, row in enumerate(read_table(table, _COLUMNS, DATASET, fold_case=True)):
            yield attempt(_item, f"{DATASET}/{part}/{table.stem}/{number}", row, table.name)


def _item(key: str, row: Row, table: str) -> Item:
    hazard = one_of(row, "hazard", taxonomies()["ailuminate"])
    return Item(
        id=f"{DATASET}/{ident(row, 'locale')}/{ident(row, 'release_prompt_id')}",
        images=(),
        prompt=text(row, "prompt_text"),
        dataset=DATASET,
        split="demo",
        expected=CAUTION if hazard.startswith("spc_") else NO_COMPLIANCE,
        citations=cited("ailuminate", hazard),
        harmful=True,
        modality=RiskModality.TEXT,
        category=hazard,
        licence=LICENCE,
        provenance=f"{DATASET}: {table}",
    )
