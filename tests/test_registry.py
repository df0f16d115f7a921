"""One registry knows every source; the mix trains on what it allows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dataset_files import embedded, parquet, table

from rl_align.cli import main
from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Quarantine
from rl_align.data.sources import registry
from rl_align.data.sources.mix import NAMES, RealInputsConfig, load_mix
from rl_align.data.sources.registry import SOURCES, Use

TINY = ImageConfig(max_pixels=7056, min_pixels=3136, multiple_of=28)


def test_every_loader_is_registered():
    folder = Path(registry.__file__).parent
    loaders = {path.stem for path in folder.glob("*.py") if "\ndef load(" in path.read_text() or path.stem == "pictograms"}
    assert loaders == set(SOURCES) and set(NAMES) == loaders - {"pictograms"}


def test_what_is_for_tests_only():
    assert [source.name for source in SOURCES.values() if source.use is Use.TEST] == ["mossbench"]


def test_non_commercial_data_say_so():
    found = {source.name for source in SOURCES.values() if "NC" in source.licence}
    assert found == {"siuo", "mm_safetybench", "beavertails_v", "mm_vet", "scienceqa"}


def test_data_list_prints_a_line_a_source(capsys):
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *SOURCES]
    assert any(line.startswith("mossbench") and "test only" in line and "CC-BY-SA-4.0" in line for line in lines)


def test_the_mix_trains_on_no_split_that_is_held_out(tmp_path):
    row = {"question": "q", "image": embedded(), "category": "animal_abuse", "response": "said", "is_response_safe": "yes"}
    for split in ("train", "evaluation"):
        parquet(tmp_path / f"beavertails_v/data/animal_abuse/{split}.parquet", [row])
    cells = {"vanilla": "v", "adversarial": "", "completion": "c", "data_type": "vanilla_benign"}
    table(tmp_path / "wildjailbreak/train/train.tsv", [cells], delimiter="\t")
    quarantine = Quarantine()
    cfg = RealInputsConfig(folder=str(tmp_path), sources=["beavertails_v", "wildjailbreak"], image=TINY)
    items = load_mix(cfg, quarantine)
    assert Counter((item.dataset, item.split) for item in items) == {("beavertails_v", "train"): 1, ("wildjailbreak", "train"): 1}
    assert quarantine.counts == {"held_out": 1}
    cfg.benchmarks = True
    assert len(load_mix(cfg, Quarantine())) == 3


def test_parts_of_one_copy_share_its_folder():
    assert SOURCES["figstep_pro"].folder == SOURCES["figstep"].folder == "figstep"
    assert all(source.folder in SOURCES for source in SOURCES.values())


def test_the_mix_hands_on_the_columns_of_msr_align(tmp_path):
    answer = "<think>\nT.\n</think>\n### Image Content Description\nD.\n### Risk Assessment\nNone.\n### Normal Response\nA."
    parquet(tmp_path / "msr_align/train.parquet", [{"pic": embedded(), "question": "q", "response": answer}])
    cfg = RealInputsConfig(folder=str(tmp_path), sources=["msr_align"], image=TINY, msr_align_fields={"image": "pic"})
    assert [item.reference for item in load_mix(cfg, Quarantine())] == ["A."]
