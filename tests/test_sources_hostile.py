"""Data are hostile: no value stops a loader, none leads out of the folder, every record is counted."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from dataset_files import parquet, picture, split, table, tree

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import DataError, Dropped, Quarantine
from rl_align.data.sources import (
    advbench,
    ailuminate,
    beavertails_v,
    figstep,
    figstep_pro,
    hades,
    harmbench,
    holisafe,
    jailbreakv_28k,
    mathvista,
    mis,
    mm_safetybench,
    mm_vet,
    mmmu,
    mmstar,
    mossbench,
    msr_align,
    mssbench,
    msts,
    or_bench,
    scienceqa,
    siuo,
    spa_vl,
    strong_reject,
    tables,
    vlguard,
    wildjailbreak,
    xstest,
)
from rl_align.data.sources.fields import embedded, flag, ident, optional, text, texts
from rl_align.data.sources.fields import picture as find_picture
from rl_align.data.sources.registry import SOURCES
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Item

VALUES = [
    None, True, -1, 0, 7, 10**30, 1.5, float("inf"), float("nan"), "", " \n", "x", "../../etc/passwd", "/etc/passwd", "a\0b",
    "\ud800", "x" * 250_000, "C:\\x", [], [None], [[]], ["x"], ["x", "y"], {}, {"x": None}, {"value": 3}, "<think>", "type 1",
    "yes", "1", "A", "safe", "train", "S" * 3, [{"safe_instruction": 1}], ["x", {"unsafe_instruction": "y"}], {"over": []},
]  # fmt: skip

#: Loader → file and keys of its rows.
JSON = {
    siuo: ("siuo_gen.json", "question_id image question category safety_warning reference_answer"),
    vlguard: ("train.json", "id image safe instr-resp harmful_category harmful_subcategory"),
    mis: ("mis_easy.json", "id question category sub_category image_path1 image_path2"),
    holisafe: ("holisafe_bench.json", "id image query category subcategory type"),
    mm_vet: ("mm-vet.json", "imagename question answer imagesource capability"),
    mathvista: ("testmini.json", "question image choices unit precision answer question_type answer_type"),
    scienceqa: ("problems.json", "question choices answer hint image subject topic split"),
    spa_vl: ("dpo.json", "id image question chosen rejected"),
    msr_align: ("data.json", "id image question response category policy_ids"),
    mossbench: ("data/images_information/information.json", "image question pid metadata"),
    mm_safetybench: ("processed_questions/06-Fraud.json", "Question Key\u00a0Phrase"),
}


NO_OBJECTS = [value for value in VALUES if not isinstance(value, dict)]
JSON_ROWS, TABLE_ROWS, PARQUET_ROWS = 500, 600, 250


def records_of(module, row) -> int:
    """How many records a row gives."""
    turns = row.get("instr-resp") if isinstance(row, dict) else None
    if module is vlguard and isinstance(turns, (list, dict)):
        return max(1, len(turns))
    return {mm_safetybench: 4, figstep: 2}.get(module, 1)


def accounted(module, folder: Path, expected: int) -> None:
    """Every record is an item or a drop under an id of its source, no picture lies elsewhere, and the gate loses none."""
    records = list(module.load(folder))
    assert len(records) == expected and all(isinstance(record, (Item, Dropped)) for record in records)
    items, dropped = split(records)
    assert all(key.startswith(f"{module.DATASET}/") for key in [*(i.id for i in items), *(d.item for d in dropped)])
    assert all(record.reason and len(record.detail) < 300_000 for record in dropped)
    paths = [Path(image.path) for item in items for image in item.images if image.path]
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in paths)
    quarantine = Quarantine()
    kept = sum(1 for _ in validate(records, ImageConfig(7056, 3136, 28), quarantine))
    assert kept + len(quarantine) == expected


@pytest.mark.parametrize("module", JSON, ids=lambda module: module.DATASET)
def test_no_row_of_json_stops_a_loader_and_none_is_lost(tmp_path, module):
    name, keys = JSON[module]
    rng = random.Random(module.DATASET)
    rows = [{key.replace("\u00a0", " "): rng.choice(VALUES) for key in keys.split()} for _ in range(JSON_ROWS)] + NO_OBJECTS
    tree(tmp_path / name, rows)
    picture(tmp_path / "x"), picture(tmp_path / "A")
    accounted(module, tmp_path, sum(records_of(module, row) for row in rows))


def test_no_row_of_mssbench_stops_it(tmp_path):
    rng = random.Random(0)
    keys = "queries safe_image_path unsafe_image_path Type safe unsafe safe_instructions unsafe_instructions category".split()
    rows = [{key: rng.choice(VALUES) for key in keys} for _ in range(JSON_ROWS)]
    tree(tmp_path / "combined.json", {"chat": rows, "embodied": rows + NO_OBJECTS})

    def expected(row, *names) -> int:
        """Two records a request where there are as many for either picture, and all are words; else the row is one drop."""
        lists = [row[name] for name in names]
        words = all(isinstance(v, list) and all(isinstance(x, str) and x.strip() for x in v) for v in lists)
        return 2 * len(lists[0]) if words and lists[0] and len({len(v) for v in lists}) == 1 else 1

    chat = sum(expected(row, "queries", "queries") for row in rows)
    embodied = sum(expected(row, "safe_instructions", "unsafe_instructions") for row in rows)
    accounted(mssbench, tmp_path, chat + embodied + len(NO_OBJECTS))
    tree(tmp_path / "combined.json", {"chat": 3})
    assert [record.reason for record in mssbench.load(tmp_path)] == ["bad_row"]


TEXTS = [None, "", "x", "yes", "1", "2", "animal_abuse", "multiple-choice", "['a', 'b']", "A", "x" * 250_000]
IMAGES = [None, {"bytes": None, "path": "../x"}, {"bytes": b"", "path": None}, {"bytes": b"x", "path": None}]
PARQUET = {
    beavertails_v: ("a/train.parquet", "question category response is_response_safe"),
    spa_vl: ("data/train-0.parquet", "question chosen rejected"),
    hades: ("data/test.parquet", "id scenario keywords step category instruction"),
    mmmu: ("Art/validation-0.parquet", "id question options answer question_type"),
    mmstar: ("val-0.parquet", "index question answer category l2_category"),
    holisafe: ("test-0.parquet", "id query category subcategory type"),
    mm_safetybench: ("data/Fraud/SD.parquet", "id question"),
}


@pytest.mark.parametrize("module", PARQUET, ids=lambda module: module.DATASET)
def test_no_row_of_parquet_stops_a_loader_and_none_is_lost(tmp_path, module):
    name, keys = PARQUET[module]
    rng = random.Random(module.DATASET)
    column = "image_1" if module is mmmu else "image"
    rows = [{k: rng.choice(TEXTS) for k in keys.split()} | {column: rng.choice(IMAGES)} for _ in range(PARQUET_ROWS)]
    parquet(tmp_path / name, rows)
    accounted(module, tmp_path, PARQUET_ROWS)


CSV = {
    advbench: ("harmful_behaviors.csv", "goal target"),
    ailuminate: ("airr_official_x.csv", "release_prompt_id prompt_text hazard persona locale"),
    harmbench: ("harmbench_behaviors_multimodal_all.csv", "Behavior BehaviorID ImageFileName Tags SemanticCategory"),
    jailbreakv_28k: ("JailBreakV_28K.csv", "id jailbreak_query redteam_query format policy image_path"),
    or_bench: ("or-bench-80k.csv", "prompt category"),
    strong_reject: ("strongreject_dataset.csv", "category source forbidden_prompt"),
    wildjailbreak: ("train.tsv", "vanilla adversarial completion data_type"),
    xstest: ("xstest_prompts.csv", "id prompt type label"),
    msts: ("data/prompts/english_multimodal.csv", "hazard_category case_id prompt_text prompt_type unsafe_image_id"),
    figstep: ("data/question/safebench.csv", "category_id task_id category_name question instruction"),
    figstep_pro: ("data/question/SafeBench-Tiny.csv", "category_id task_id category_name question instruction"),
}
WORDS = ["", " ", "x", "../x", "/x", "NaN", "1", "figstep", "vanilla_benign", "prv", 'a "b"\n,c\td', "é" * 1000, "\ufeff\u202e"]


@pytest.mark.parametrize("module", CSV, ids=lambda module: module.DATASET)
def test_no_row_of_a_table_stops_a_loader_and_none_is_lost(tmp_path, module):
    name, keys = CSV[module]
    rng = random.Random(module.DATASET)
    rows = [{key: rng.choice(WORDS) for key in keys.split()} for _ in range(TABLE_ROWS)]
    table(tmp_path / name, rows, "\t" if name.endswith("tsv") else ",")
    if module is figstep_pro:
        sentences = [rng.choice(("Steps to *.", "no star", "", "*, and *", "\u202e*")) for _ in rows]
        text = "\n".join(["sentence", *sentences, ""])
        (tmp_path / "data/question/benign_sentences_without_harmful_phase.csv").write_text(text)
    accounted(module, tmp_path, TABLE_ROWS * records_of(module, {}))


def test_the_fuzz_covers_every_source_with_more_than_ten_thousand_rows():
    """Lock: a new source is fuzzed, too."""
    covered = {module.DATASET for module in (*JSON, *PARQUET, *CSV, mssbench)}
    assert covered == {name for name, source in SOURCES.items() if source.local}
    assert JSON_ROWS * (len(JSON) + 2) + PARQUET_ROWS * len(PARQUET) + TABLE_ROWS * len(CSV) > 10_000


def test_text_of_parquet_that_is_not_utf_8_costs_its_row_alone(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = pa.array([b"good", b"\xff\xfe", b"good"], type=pa.binary())
    column = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    pq.write_table(pa.table({"q": column}), tmp_path / "a.parquet")
    rows = list(tables.read_parquet(tmp_path / "a.parquet", ["q"], "d"))
    assert [getattr(row, "reason", None) for row in rows] == [None, "bad_row", None] and rows[1].item == "d/a.parquet:1"


@pytest.mark.parametrize(
    "name",
    ["../x.png", "/etc/passwd", "a/../../x.png", "a\\..\\x.png", "C:x.png", "", "a\0b", "x" * 501, "link/x.png", "out.png"],
)
def test_pictures_stay_in_the_folder(tmp_path, name):
    picture(tmp_path / "x.png")
    folder = tmp_path / "set"
    folder.mkdir()
    os.symlink(tmp_path, folder / "link"), os.symlink(tmp_path / "x.png", folder / "out.png")
    with pytest.raises(DataError, match="bad_row"):
        find_picture(folder, name)


def test_pictures_are_found_below_the_first_root_that_has_them(tmp_path):
    picture(tmp_path / "images/a.png")
    assert find_picture(tmp_path, "a.png", ("data", "images")).path == str(tmp_path / "images/a.png")
    with pytest.raises(DataError, match="image_not_local: b.png"):
        find_picture(tmp_path, "b.png", ("data", "images"))
    os.mkfifo(tmp_path / "images/pipe")
    with pytest.raises(DataError, match="image_not_local"):
        find_picture(tmp_path, "pipe", ("images",))


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (text, 3), (text, None), (text, " "), (text, "\ud800"), (text, "x" * 200_001), (optional, 3), (optional, []),
        (ident, True), (ident, 1.0), (ident, 2**63), (ident, "x" * 501), (flag, "maybe"), (flag, None), (flag, 2), (flag, []),
        (texts, "x"), (texts, [1]), (texts, None),
    ],
)  # fmt: skip
def test_values_of_the_wrong_type_or_size_are_named(read, value):
    with pytest.raises(DataError, match="bad_row: .*cell"):
        read({"cell": value}, "cell")


def test_values_of_the_right_type():
    row = {"t": "x", "n": 7, "f": "No", "l": ["a"], "e": ""}
    assert (text(row, "t"), ident(row, "n"), flag(row, "f"), texts(row, "l")) == ("x", "7", False, ["a"])
    assert optional(row, "e") is optional(row, "missing") is None and flag({"f": 1}, "f") and not flag({"f": False}, "f")


def test_embedded_pictures_are_bytes_or_files_of_the_folder(tmp_path):
    picture(tmp_path / "a.png")
    assert embedded({"i": {"bytes": b"x", "path": "../a"}}, "i", tmp_path).data == b"x"
    assert embedded({"i": {"bytes": None, "path": "a.png"}}, "i", tmp_path).path == str(tmp_path / "a.png")
    for value in (None, 3, {}, {"bytes": b"", "path": None}, ""):
        with pytest.raises(DataError, match="i holds no picture"):
            embedded({"i": value}, "i", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 200_000, "not JSON"),
        (b'{"1": {}, "1": {}}', "a key occurs twice"),
        (b"9" * 10_000, "not JSON"),
        (b"3", "no rows"),
        (b"[]", "no rows"),
        (None, "no such file"),
    ],
)
def test_broken_json_is_an_error_with_its_place(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        list(tables.read_records(tmp_path / "a.json", "d"))
    assert "a.json" in str(caught.value) and "\n" not in str(caught.value)


def test_keys_that_are_no_ids_cost_their_row_alone(tmp_path):
    tree(tmp_path / "a.json", {"x" * 201: {}, "\ud800": {}, "a\nb": {}, "é": {}, "1": 3})
    rows = list(tables.read_records(tmp_path / "a.json", "d"))
    assert [name for name, _ in rows] == ["0", "1", "2", "é", "1"]
    assert [row.item if isinstance(row, Dropped) else row for _, row in rows] == [
        "d/a.json:0", "d/a.json:1", "d/a.json:2", {}, "d/a.json:1",
    ]  # fmt: skip


def test_json_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_JSON_BYTES", 10)
    (tmp_path / "a.json").write_text(json.dumps(list(range(10))))
    with pytest.raises(UserError, match="30 bytes; expected at most 10"):
        tables.read_json(tmp_path / "a.json", "d")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_broken_parquet_is_an_error_with_its_place(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet after row 0: not a readable parquet file"):
        list(tables.read_parquet(tmp_path / "a.parquet", ["q"], "d"))


def test_a_missing_column_names_those_that_are_there(tmp_path):
    parquet(tmp_path / "data/x.parquet", [{"id": "1", "image": None}])
    with pytest.raises(UserError, match="missing column scenario, keywords.*seen: id, image"):
        list(hades.load(tmp_path))
    table(tmp_path / "a.csv", [{"Q ": "1"}])
    assert list(tables.read_table(tmp_path / "a.csv", ["q"], "d", fold_case=True)) == [{"q": "1"}]


def test_a_folder_without_the_files_says_what_belongs_there(tmp_path):
    with pytest.raises(UserError, match="no .*siuo_gen.*expected a local copy of siuo"):
        list(siuo.load(tmp_path))
