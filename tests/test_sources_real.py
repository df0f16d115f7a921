"""Real files and stand-ins give the counts that are in them; where they are absent, the tests say so and skip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from dataset_files import split

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.sources import figstep_pro, mm_safetybench, mossbench
from rl_align.data.sources.registry import SOURCES
from rl_align.data.validate import validate
from rl_align.schema import Behaviour

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no dataset files at {REAL}")

#: Folder → items by split, drops by reason.
COUNTS = {
    "permissive/xstest": {"test": 450},
    "permissive/figstep": {"test": 50 + 14, "image_not_local": 36},
    "permissive/msts": {"test": 60, "image_not_local": 120 + 40},
    "permissive/mossbench": {"test": 14, "image_not_local": 107 - 14},
    "permissive/harmbench": {"text_val": 31, "multimodal": 12, "image_not_local": 50 - 12},
    "permissive/advbench": {"test": 40},
    "permissive/ailuminate": {"demo": 130 + 40},
    "permissive/mathvista": {"image_not_local": 20},
    "noncommercial/siuo": {"image_not_local": 45 + 45},
    "noncommercial/mm_safetybench": {"TYPO": 145, "Text_only": 145, "image_not_local": 2 * 145},
    "synthetic/mm_safetybench_hf_pku": {"SD": 3, "SD_TYPO": 3, "TYPO": 3, "Text_only": 3},
    "synthetic/msr_align_ASSUMED_SCHEMA": {"train": 3},
    "synthetic/beavertails_v_pku": {"evaluation": 3},
    "synthetic/beavertails_v_saferlhf-v": {"train": 3, "evaluation": 3},
    "synthetic/spa_vl": {"train": 3, "validation": 3, "harm": 3, "help": 3, "image_not_local": 3},
    "synthetic/vlguard": {"test": 4, "image_not_local": 5},
    "synthetic/mis": {"easy": 3, "image_not_local": 6},
    "synthetic/holisafe": {"test": 3},
    "synthetic/jailbreakv_28k": {"redteam_2k": 3, "image_not_local": 3},
    "synthetic/hades": {"step_0": 1, "step_1": 1, "step_2": 1},
    "synthetic/mssbench": {"image_not_local": 2 * 3 + 2 * 3},
    "synthetic/or_bench": {"80k": 3, "hard-1k": 3, "toxic": 3},
    "synthetic/strong_reject": {"test": 3},
    "synthetic/wildjailbreak": {"train": 3, "eval": 3},
    "synthetic/mmmu": {"validation": 3},
    "synthetic/mmvet": {"image_not_local": 3},
    "synthetic/mmstar": {"val": 3},
    "synthetic/scienceqa": {"test": 1, "image_not_local": 2},
}


#: Folders that hold more than their own name says, or another.
NAMES = {"mmvet": "mm_vet"}


def loader(folder: str):
    name = Path(folder).name
    return SOURCES[NAMES.get(name) or next(source for source in SOURCES if name.startswith(source))].load


@pytest.mark.parametrize("folder", COUNTS)
def test_every_record_is_an_item_or_a_drop_with_its_reason(folder):
    records = list(loader(folder)(REAL / folder))
    assert Counter(r.reason if isinstance(r, Dropped) else r.split for r in records) == COUNTS[folder]
    quarantine = Quarantine()
    items = list(validate(iter(records), ImageConfig(max_pixels=7056, min_pixels=3136, multiple_of=28), quarantine))
    assert len(items) + len(quarantine) == len(records)
    assert set(quarantine.counts) <= {"image_not_local"}, quarantine.summary()
    assert all(item.licence and item.provenance and item.id.startswith(f"{item.dataset}/") for item in items)


def test_figstep_pro_has_its_pieces_and_all_sentences_although_one_holds_a_comma():
    items, dropped = split(figstep_pro.load(REAL / "permissive/figstep"))
    assert [item.id for item in items] == [f"figstep_pro/{row}" for row in (35, 36, 37, 40, 41, 45)] and len(dropped) == 44
    assert {record.reason for record in dropped} == {"image_not_local"}
    assert all(2 <= len(item.images) <= 4 for item in items)


def test_every_source_that_reads_files_has_some_here():
    loaders = {source.load for source in SOURCES.values() if source.local}
    assert {loader(folder) for folder in COUNTS} | {figstep_pro.load} == loaders


def test_the_tiny_version_of_mm_safetybench_names_what_it_keeps():
    whole = {r.id for r in mm_safetybench.load(REAL / "noncommercial/mm_safetybench") if not isinstance(r, Dropped)}
    tiny = {r.id for r in mm_safetybench.load(REAL / "noncommercial/mm_safetybench", tiny=True) if not isinstance(r, Dropped)}
    assert tiny and tiny < whole


def test_mossbench_is_benign():
    items = [r for r in mossbench.load(REAL / "permissive/mossbench") if not isinstance(r, Dropped)]
    assert all(item.expected == (Behaviour.COMPLY,) and item.harmful is False for item in items)
