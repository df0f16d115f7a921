"""Sources through the real library `datasets`: from folders and its cache, the same records as from a local copy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dataset_files import embedded, parquet, picture, split, table, tree
from hub_server import COMMIT, Hub
from made_items import content

from rl_align.cli import main
from rl_align.data.hub import place
from rl_align.data.hub.place import PINNED, Spot, parse
from rl_align.data.hub.reach import NotReached, commit
from rl_align.data.hub.read import records
from rl_align.data.hub.tables import cached_tables, tables
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.registry import SOURCES
from rl_align.data.sources.table import Table
from rl_align.errors import UserError

PLACE = place.Hub("org/name")
CLASSES = {"class1": "a", "class2": "b", "class3": "c"}
THOUGHT = "<think>\nIt is.\n</think>\n### Risk Assessment:\nNo policy is violated.\n### Normal Response\nIt is a square."


@pytest.fixture(scope="module")
def datasets():
    """Imported only where the tests run: it takes two seconds, and every worker reads this file."""
    import datasets

    return datasets


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, datasets) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def card(folder: Path, configs: dict[str, dict[str, str]]) -> Path:
    """Says which files are which split of which configuration, the way datasets on the Hub do."""
    lines = ["---", "configs:"]
    for name, splits in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        lines += [line for split, path in splits.items() for line in (f"  - split: {split}", f"    path: {path}")]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return folder


def spa_vl(folder: Path) -> dict[str, dict[str, str]]:
    row = {"question": "q", "image": embedded()}
    for number, rows in ((0, 3), (1, 2)):
        made = [{**row, "question": f"{number}.{k}", "chosen": "a", "rejected": "b", "image_name": "x"} for k in range(rows)]
        parquet(folder / f"data/train-0000{number}-of-00002.parquet", made)
    parquet(folder / "test/harm-00000.parquet", [row | CLASSES])
    parquet(folder / "test/help-00000.parquet", [row | CLASSES])
    parquet(folder / "validation/validation-00000.parquet", [row | CLASSES | {"chosen": "a", "rejected": "b"}])
    return {
        "default": {"train": "data/train-*"},
        "test": {"harm": "test/harm-*", "help": "test/help-*"},
        "validation": {"validation": "validation/*"},
    }


def beavertails_v(folder: Path) -> dict[str, dict[str, str]]:
    pair = {"question": "q", "image": embedded(), "category": "animal_abuse", "response_1": "x", "response_2": "y"}
    pair |= {"more_helpful_response_id": "1", "safer_response_id": "2", "is_response_1_safe": "no", "is_response_2_safe": "yes"}
    one = {"question": "q", "image": embedded(), "category": "hacking_or_digital_crime", "response": "z", "is_response_safe": "yes"}
    for name, row in (("animal_abuse", pair), ("hacking_or_digital_crime", one)):
        parquet(folder / f"data/{name}/train.parquet", [row, row])
        parquet(folder / f"data/{name}/evaluation.parquet", [row | {"category": "?"}])
    return {
        name: {split: f"data/{name}/{split}.parquet" for split in ("train", "evaluation")}
        for name in ("animal_abuse", "hacking_or_digital_crime")
    }


def hades(folder: Path) -> dict[str, dict[str, str]]:
    row = {"image": embedded(), "id": "A_1", "scenario": "Animal", "keywords": "k", "category": "object", "instruction": "i"}
    parquet(folder / "data/test-00000-of-00001.parquet", [row | {"step": step} for step in (0, 5, 6)])
    return {"default": {"test": "data/test-*"}}


def mmmu(folder: Path) -> dict[str, dict[str, str]]:
    row = {"id": "validation_Art_1", "question": "<image 1>?", "options": "['a', 'b']", "answer": "B"}
    row |= {"question_type": "multiple-choice", "image_1": embedded(), "image_2": None}
    for name in ("Art", "Music"):
        parquet(folder / f"{name}/validation-00000.parquet", [row | {"id": f"validation_{name}_1"}, row | {"answer": "C"}])
    return {name: {"validation": f"{name}/validation-*"} for name in ("Art", "Music")}


def mmstar(folder: Path) -> dict[str, dict[str, str]]:
    row = {"index": 0, "question": "Which?", "image": embedded(), "category": "c", "l2_category": "d", "answer": "B"}
    parquet(folder / "val-00000.parquet", [row, row | {"answer": "E"}])
    return {"val": {"val": "val-*"}}


def mm_safetybench(folder: Path) -> dict[str, dict[str, str]]:
    for kind in ("SD", "TYPO", "Text_only"):
        image = {} if kind == "Text_only" else {"image": embedded()}
        parquet(folder / f"data/Fraud/{kind}.parquet", [{"id": "0", "question": kind} | image])
    return {"Fraud": {kind: f"data/Fraud/{kind}.parquet" for kind in ("SD", "TYPO", "Text_only")}}


def xstest(folder: Path) -> dict[str, dict[str, str]]:
    row = {"prompt": "NaN", "type": "t", "focus": "", "note": ""}
    table(folder / "xstest_prompts.csv", [row | {"id": k, "label": label} for k, label in enumerate(["safe", "no"])])
    return {"default": {"train": "xstest_prompts.csv"}}


def or_bench(folder: Path) -> dict[str, dict[str, str]]:
    for name in ("80k", "toxic"):
        table(folder / f"or-bench-{name}.csv", [{"prompt": "null", "category": "privacy"}, {"prompt": "Why?", "category": "hate"}])
    return {f"or-bench-{name}": {"train": f"or-bench-{name}.csv"} for name in ("80k", "toxic")}


def wildjailbreak(folder: Path) -> dict[str, dict[str, str]]:
    row = {"vanilla": "NaN", "adversarial": "", "completion": "null", "data_type": "vanilla_benign"}
    table(folder / "train/train.tsv", [row, row | {"adversarial": 'a\t"b"', "data_type": "adversarial_harmful"}], "\t")
    table(folder / "eval/eval.tsv", [{"adversarial": "None", "label": 0, "data_type": "adversarial_benign"}], "\t")
    return {"eval": {"train": "eval/eval.tsv"}, "train": {"train": "train/train.tsv"}}


LAYOUTS = [spa_vl, beavertails_v, hades, mmmu, mmstar, mm_safetybench, xstest, or_bench, wildjailbreak]


def read(name: str, text: str, **options):
    source = SOURCES[name]
    streaming = options.pop("streaming", True)
    found, _ = records(parse(text, source.hub), source.hub, source.load, source.load_tables, options, streaming)
    return list(found)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_records_are_the_same_through_datasets_and_from_a_local_copy(tmp_path, layout, streaming):
    """Lock: ids, drops and pictures do not depend on the way a source is read."""
    folder = tmp_path / "copy"
    folder.mkdir()
    card(folder, layout(folder))
    through = read(layout.__name__, f"hf:{folder}", streaming=streaming)
    items, _ = split(through)
    key = lambda record: record.item if isinstance(record, Dropped) else record.id  # noqa: E731
    local = list(SOURCES[layout.__name__].load(folder))
    assert items and sorted(through, key=key) == sorted(local, key=key)


def test_msts_mathvista_and_msr_align_hold_their_pictures_in_the_rows(tmp_path):
    sentence = {"hazard_category": "Other", "case_id": "case_1", "prompt_text": "Should I?", "prompt_type": "assistance"}
    question = {"pid": "7", "question": "How?", "choices": None, "unit": None, "precision": 1.0, "answer": "1"}
    question |= {"question_type": "free_form", "answer_type": "float", "image": "images/7.jpg"}
    talk = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": THOUGHT}]
    rows = {
        "msts": ("german", [sentence | {"unsafe_image": embedded()}, sentence | {"unsafe_image": None}]),
        "mathvista": ("testmini", [question | {"decoded_image": embedded()}, question | {"decoded_image": None}]),
        "msr_align": ("train", [{"images": [embedded()], "conversations": talk}, {"images": [], "conversations": talk}]),
    }
    for name, (part, made) in rows.items():
        parquet(tmp_path / name / "data.parquet", made)
        (item,), (dropped,) = split(read(name, f"hf:{card(tmp_path / name, {'default': {part: 'data.parquet'}})}"))
        assert item.images[0].data == embedded()["bytes"] and dropped.reason == "bad_row"
        ids = {"msts": "hub_german/case_1/assistance", "mathvista": "7", "msr_align": "train/default/0"}
        assert item.id == f"{name}/{ids[name]}"
    parquet(tmp_path / "test" / "data.parquet", rows["mathvista"][1])
    with pytest.raises(UserError, match="no split testmini; expected them among test"):
        read("mathvista", f"hf:{card(tmp_path / 'test', {'default': {'test': 'data.parquet'}})}")


def test_one_configuration_may_be_named(tmp_path):
    card(tmp_path, beavertails_v(tmp_path))
    items, _ = split(read("beavertails_v", f"hf:{tmp_path}:animal_abuse"))
    assert {item.category for item in items} == {"animal_abuse"}
    with pytest.raises(UserError, match="no configuration 'kindness'; expected one of animal_abuse, hacking"):
        read("beavertails_v", f"hf:{tmp_path}:kindness")


def test_prepare_reads_a_folder_through_datasets_and_writes_the_same_items(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card(tmp_path, spa_vl(tmp_path))
    made = {}
    for name, place_ in (("a", "hf:."), ("b", "hf:./"), ("c", str(tmp_path))):
        arguments = ["data", "prepare", "spa_vl", "--from", place_, "--out", str(tmp_path / name), "image.max_pixels=7056"]
        assert main(arguments) == 0
        made[name] = {file: data for file, data in content(tmp_path / name).items() if file.endswith(".parquet")}
    assert made["a"] == made["b"] == made["c"]
    said = capsys.readouterr().out
    assert "spa_vl train: 5 of 93258 records: a part of it" in said
    assert "from" not in json.loads((tmp_path / "a/manifest.json").read_text())["meta"]


def test_no_code_of_a_dataset_is_run_and_nothing_but_tables_is_read(tmp_path):
    script = tmp_path / "copy" / "copy.py"
    script.parent.mkdir()
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    parquet(script.parent / "train.parquet", [{"question": "q"}])
    with pytest.raises(UserError, match="scripts are no longer supported"):
        read("spa_vl", f"hf:{script.parent}")
    assert not (tmp_path / "ran").exists()
    picture(tmp_path / "pictures" / "a.png"), (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.tar").write_bytes(b"\0" * 10240)
    for name in ("pictures", "archives"):
        with pytest.raises(UserError, match="made of (imagefolder|webdataset) files; expected parquet, csv, json, arrow files"):
            read("spa_vl", f"hf:{tmp_path / name}")


def test_a_library_that_would_run_code_is_refused(tmp_path, monkeypatch, datasets):
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    with pytest.raises(UserError, match="datasets 3.6.0 runs code that datasets bring; expected datasets 4 or newer"):
        read("spa_vl", f"hf:{tmp_path}")


def test_a_picture_that_is_a_path_is_opened_below_the_folder_alone(tmp_path):
    row = {"question": "q", "chosen": "a", "rejected": "b", "image_name": "x"}
    rows = [row | {"image": {"bytes": None, "path": path}} for path in ("/etc/passwd", "../x.png", "a.png")]
    parquet(tmp_path / "data/train-0.parquet", rows)
    picture(tmp_path / "a.png")
    (item,), dropped = split(read("spa_vl", f"hf:{card(tmp_path, {'default': {'train': 'data/*'}})}"))
    assert [d.reason for d in dropped] == ["bad_row"] * 2 and item.images[0].path == str(tmp_path / "a.png")
    elsewhere = Table("default", "train", "the Hub", lambda: iter(rows))
    assert [d.reason for d in SOURCES["spa_vl"].load_tables([elsewhere])] == ["image_not_local"] * 3


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda f: (f / "train.parquet").write_bytes(b"PAR1 no"), "cannot be read"),
        (lambda f: parquet(f / "train.parquet", [{"question": "q"}]), "missing column image, chosen, rejected"),
        (lambda f: parquet(f / "validation.parquet", [{"question": "q"}]), "missing column"),
        (lambda f: table(f / "test.csv", [{"question": "q"}]), "config 'default', split 'test'; expected spa_vl: train"),
        (lambda f: (f / "train.json").write_text("{"), "cannot be read"),
        (lambda f: None, "cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_line(tmp_path, write, message):
    folder = tmp_path / "copy"
    folder.mkdir()
    write(folder)
    with pytest.raises(UserError, match=message) as caught:
        read("spa_vl", f"hf:{folder}")
    assert "\n" not in str(caught.value)


def test_files_beside_the_rows_are_read_by_the_loader_of_local_copies(tmp_path):
    with pytest.raises(UserError, match="its pictures are files.*give the folder without hf:"):
        read("vlguard", f"hf:{tmp_path}")


def cached(folder: Path, repo: str, revision: str, config: str = "default", rows: int = 2) -> None:
    """Puts a dataset into `datasets`' cache as downloading it from the Hub does."""
    from datasets import config as settings
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.parquet.parquet import Parquet

    organisation, _, name = repo.partition("/")
    row = {"question": revision, "image": embedded(), "chosen": "a", "rejected": "b", "image_name": "x"}
    parquet(folder / "train.parquet", [row] * rows)
    cache, snake = Path(settings.HF_DATASETS_CACHE), camelcase_to_snakecase(name)
    files = {"train": str(folder / "train.parquet")}
    Parquet(dataset_name=name, config_name=config, hash=revision, data_files=files).download_and_prepare()
    # A repository's files must come from the Hub, where the organisation is part of the folder's name.
    shutil.copytree(cache / snake, cache / f"{organisation}___{snake}", dirs_exist_ok=True)


def test_what_datasets_has_cached_is_read_without_the_hub_at_the_revision_that_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for revision, rows in (("a" * 40, 2), ("b" * 40, 3)):
        cached(tmp_path, "sqrti/SPA-VL", revision, rows=rows)
    for text, rows in (("hf:", 3), (f"hf:sqrti/SPA-VL@{'a' * 40}", 2), (f"hf:@{'b' * 40}", 3)):
        items, dropped = split(read("spa_vl", text))
        assert len(items) == rows and not dropped and items[0].images[0].data == embedded()["bytes"]
    with pytest.raises(NotReached, match="the Hub is not reached .*; check the network, or give a local copy: --from FOLDER"):
        read("spa_vl", f"hf:@{'c' * 40}")
    assert list(cached_tables(Spot("sqrti/SPA-VL"), ("test",))[1]) == [] and cached_tables(Spot("org/other"))[0] == []
    with pytest.raises(UserError, match="options.tiny: tiny is an option of local copies"):
        read("mm_safetybench", "hf:", tiny=True)


def test_offline_needs_no_hub_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    card(tmp_path, spa_vl(tmp_path))
    assert len(read("spa_vl", f"hf:{tmp_path}")) == 8
    with pytest.raises(NotReached):
        read("siuo", "hf:")


def test_the_hub_cache_serves_where_files_are_kept_beside_rows(tmp_path, monkeypatch):
    """The client links the files of a snapshot to blobs beside it; links that lead elsewhere are refused."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "datasets--sinwang--SIUO"
    copy = home / "snapshots" / PINNED["sinwang/SIUO"]
    row = {"question": "Good?", "category": "morality", "safety_warning": "w", "reference_answer": "r"}
    tree(copy / "siuo_gen.json", [row | {"question_id": k, "image": f"S-0{k}.png"} for k in (1, 2)])
    picture(home / "blobs" / "1234"), picture(tmp_path / "elsewhere.png")
    (copy / "images").mkdir()
    (copy / "images" / "S-01.png").symlink_to("../../../blobs/1234")
    (copy / "images" / "S-02.png").symlink_to(tmp_path / "elsewhere.png")
    (item,), (dropped,) = split(read("siuo", "hf:"))
    assert item.id == "siuo/gen/1" and "link out of the folder" in dropped.detail
    with pytest.raises(UserError, match="its files have no configurations; leave :x out"):
        read("siuo", "hf::x")


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("hf:", Spot("org/name")),
        ("hf:a/b", Spot("a/b")),
        ("hf:a/b@v1.0", Spot("a/b", "v1.0")),
        ("hf:a/b@refs/pr/1:c-1", Spot("a/b", "refs/pr/1", "c-1")),
        ("hf:a/b:c", Spot("a/b", None, "c")),
        ("hf:@main", Spot("org/name", "main")),
        ("hf::c", Spot("org/name", None, "c")),
        ("hf:sinwang/SIUO", Spot("sinwang/SIUO", PINNED["sinwang/SIUO"])),
        ("hf:sinwang/SIUO@main", Spot("sinwang/SIUO", "main")),
        ("hf:/:c", Spot("/", None, "c", local=True)),
    ],
)
def test_how_a_place_is_written(text, spot):
    assert parse(text, PLACE) == spot and parse(str(spot), PLACE) == spot


@pytest.mark.parametrize(
    "text", ["hf:a", "hf:a/b/c", "hf:a/b@", "hf:a/b:", "hf:a/b c", "hf:../nowhere", "hf:https://e.org/a", "hf:a/b@x y"]
)
def test_what_names_no_place(text):
    with pytest.raises(UserError, match="hf:ORG/NAME"):
        parse(text, PLACE)


@pytest.mark.parametrize(
    ("spot", "message"),
    [
        (Spot("org/absent"), "hf:org/absent: no such dataset on the Hub, or it is private"),
        (Spot("org/here", "v9"), "no revision v9; expected a branch, tag or commit"),
    ],
)
def test_what_the_hub_says_no_to_is_one_line(tmp_path, monkeypatch, spot, message):
    with Hub({"org/here": tmp_path}) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        assert commit(Spot("org/here")) == COMMIT
        with pytest.raises(UserError, match=message) as caught:
            commit(spot)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, NotReached)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["advbench", "--from", "hf:"], "advbench is not on the Hub; expected a local copy out of github.com/llm-attacks"),
        (["xstest"], "or hf: for Paul/XSTest on the Hub"),
        (["xstest", "--from", "hf:x"], "names no dataset"),
        (["special", "--from", "hf:"], "special is not on the Hub"),
    ],
)
def test_bad_places_are_refused_before_anything_is_written(tmp_path, capsys, arguments, part):
    assert main(["data", "prepare", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert part in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_rows_that_are_not_unicode_are_dropped_one_by_one(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = pa.array([b"good", b"\xff\xfe", b"good"], type=pa.binary())
    column = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    pq.write_table(pa.table({"q": column}), tmp_path / "train.parquet")
    (found,) = tables(Spot(str(tmp_path), local=True), None, streaming=True)
    assert [isinstance(row, Dropped) for row in found.rows("q")] == [False, True, False]


def test_every_source_that_is_on_the_hub_says_so_and_has_a_reader(capsys):
    assert main(["data", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for name, source in SOURCES.items():
        assert source.place in lines[name] and source.licence in lines[name]
        assert f"hf:{source.hub.repo} " in lines[name] if source.hub else "hf:" not in lines[name]
        assert source.hub is None or source.hub.files is not None or source.load_tables is not None
