"""Every record of the official layouts becomes an item or a drop with a reason, and the mix counts them all."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from rl_align.data.images import ImageConfig
from rl_align.data.items import read_items, write_items
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.sources import figstep, msts, special, xstest
from rl_align.data.sources.mix import RealInputsConfig, load_mix
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Behaviour, ImageRef, Item, RiskModality

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "permissive"
real_files = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real dataset files at {REAL}")

FOUR = {"sources": ["figstep", "xstest", "msts", "special"], "benchmarks": True}
TINY = ImageConfig(max_pixels=7056, min_pixels=3136, multiple_of=28)
SAFE = (Behaviour.REFUSE, Behaviour.SAFE_COMPLETE)


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (76, 76), "white").save(path)


def figstep_row(category: str = "1", task: str = "1", **fields: str) -> dict[str, str]:
    row = {"dataset": "ForbidQI", "category_id": category, "task_id": task, "category_name": "Some Category"}
    return row | {"question": 'How, "exactly"?', "instruction": "Steps to do it."} | fields


def xstest_row(key: str, label: str, prompt: str = "How do I do it?") -> dict[str, str]:
    return {"id": key, "prompt": prompt, "type": "homonyms", "label": label, "focus": "", "note": ""}


def msts_row(case: str, kind: str = "assistance", **fields: str) -> dict[str, str]:
    row = {"hazard_category": "Other", "case_id": case, "unsafe_image_id": f"unsafe_image_{case}"}
    return row | {"prompt_text": "Should I do this?", "prompt_type": kind} | fields


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all three datasets in their official layouts, harmless and tiny."""
    table(tmp_path / "figstep/data/question/SafeBench-Tiny.csv", [figstep_row("1", "2"), figstep_row("9", "1")])
    picture(tmp_path / "figstep/data/images/SafeBench-Tiny/query_ForbidQI_1_2_6.png")
    table(tmp_path / "xstest/xstest_prompts.csv", [xstest_row("1", "safe"), xstest_row("2", "unsafe")])
    table(tmp_path / "msts/data/prompts/german_multimodal.csv", [msts_row("case_1"), msts_row("case_2")])
    table(tmp_path / "msts/data/prompts/english_textonly.csv", [msts_row("case_1"), msts_row("case_1", "intention")])
    picture(tmp_path / "msts/data/images/unsafe_image_case_2.jpg")
    return tmp_path


def test_figstep_gives_picture_and_question(folder):
    whole, question, dropped, advice = figstep.load(folder / "figstep")
    assert whole.id == "figstep/safebench-tiny/1_2/picture"
    assert (whole.prompt, whole.modality, len(whole.images)) == (figstep.CARRIER, RiskModality.IMAGE, 1)
    assert (question.prompt, question.images, question.modality) == ('How, "exactly"?', (), RiskModality.TEXT)
    assert whole.expected == question.expected == SAFE and whole.harmful and question.harmful
    assert dropped == Dropped("figstep/safebench-tiny/9_1/picture", figstep.IMAGE_NOT_LOCAL, "query_ForbidQI_9_1_6.png")
    assert advice.expected == (Behaviour.SAFE_COMPLETE,)


def test_figstep_takes_the_whole_where_it_is_there_and_cites_what_its_category_covers(folder):
    table(folder / "figstep/data/question/safebench.csv", [figstep_row("2", "1", category_name="Hate Speech")])
    _, question = figstep.load(folder / "figstep")
    assert question.id == "figstep/safebench/2_1/question" and question.policies == ("discriminatory_depictions",)
    assert len(list(figstep.load(folder / "figstep", tiny=True))) == 4


def test_figstep_prefers_nothing_but_numbers_in_file_names(tmp_path):
    rows = [figstep_row("../../1"), figstep_row("1", "1/../2"), figstep_row("11"), figstep_row("0"), figstep_row("²")]
    table(tmp_path / "data/question/safebench.csv", rows)
    assert [record.reason for record in figstep.load(tmp_path, tiny=False)] == ["bad_row"] * 2 * 5


def test_xstest_labels_decide_what_is_right(folder):
    safe, unsafe = xstest.load(folder / "xstest")
    assert (safe.expected, safe.harmful, safe.modality) == ((Behaviour.COMPLY,), False, RiskModality.NONE)
    assert (unsafe.expected, unsafe.harmful, unsafe.modality) == (SAFE, True, RiskModality.TEXT)
    assert safe.category == "homonyms"


def test_xstest_refuses_unknown_labels(tmp_path):
    table(tmp_path / "xstest_prompts.csv", [xstest_row("1", "Safe?"), xstest_row("2", "safe")])
    dropped, kept = xstest.load(tmp_path)
    assert (dropped.item, dropped.reason) == ("xstest/1", "bad_row") and kept.id == "xstest/2"


def test_msts_pictures_are_local_or_missing_never_fetched(folder):
    texts, missing, joint = [], None, None
    for record in msts.load(folder / "msts"):
        if isinstance(record, Dropped):
            missing = record
        elif record.images:
            joint = record
        else:
            texts.append(record)
    assert missing == Dropped("msts/german_multimodal/case_1/assistance", "image_not_local", "unsafe_image_case_1")
    assert (joint.modality, joint.expected, joint.harmful) == (RiskModality.JOINT, SAFE, True)
    assert [text.modality for text in texts] == [RiskModality.TEXT] * 2


def test_msts_sentence_without_its_picture_claims_nothing(folder):
    records = list(msts.load(folder / "msts", imageless=True))
    alone = next(record for record in records if record.id == "msts/german_multimodal/case_1/assistance")
    assert (alone.images, alone.expected, alone.harmful, alone.modality) == ((), (), None, RiskModality.NONE)
    assert len(records) == 4 and all(isinstance(record, Item) for record in records)


def test_msts_image_ids_cannot_leave_the_folder(tmp_path):
    table(tmp_path / "data/prompts/english_multimodal.csv", [msts_row("1", unsafe_image_id="../../x")])
    assert [record.reason for record in msts.load(tmp_path)] == ["bad_row"]


def test_rows_that_do_not_match_their_header_are_dropped_one_by_one(tmp_path):
    path = tmp_path / "xstest_prompts.csv"
    path.write_text("id,prompt,type,label\n1,a,t\n2,b,t,safe,more\n3, ,t,safe\n4,d,t,safe\n", encoding="utf-8")
    records = list(xstest.load(tmp_path))
    assert [record.reason for record in records[:3]] == ["bad_row"] * 3
    assert records[0].item == "xstest/row-0" and records[2].detail == "xstest/xstest_prompts.csv:4: empty prompt"
    assert records[3].id == "xstest/4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "missing column id, prompt, type, label"),
        (b"id,text\n1,a\n", "missing column prompt, type, label.*seen: id, text"),
        (b"id,prompt,type,label\n", "no rows"),
        (b"id,prompt,type,label\n1,\xff\xfe,t,safe\n", "not UTF-8"),
        (b'id,prompt,type,label\n1,"open,t,safe\n2,b,t,safe\n', "not CSV"),
        (b"id,prompt,type,label\n1," + b"x" * 200_000 + b",t,safe\n", "not CSV"),
    ],
)
def test_broken_tables_are_errors_with_their_place(tmp_path, content, message):
    if content is not None:
        (tmp_path / "xstest_prompts.csv").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        list(xstest.load(tmp_path))
    assert "xstest_prompts.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_special_items_are_harmless_deterministic_and_of_many_kinds():
    items = list(special.load(3))
    assert items == list(special.load(3)) and items != list(special.load(4))
    assert len({item.id for item in items}) == len(items)
    assert all(item.harmful is False and item.expected == (Behaviour.COMPLY,) for item in items)
    modes = {item.images[0].decode().mode for item in items if item.id.startswith("special/picture/")}
    assert {"RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16"} <= modes
    assert any(len(item.prompt) > 500_000 for item in items)
    assert any("<image>" in item.prompt for item in items) and any("<|im_end|>" in item.prompt for item in items)
    assert {len(item.images) for item in items} == {0, 1, 2}


def test_special_pictures_pass_and_broken_ones_fall_each_for_its_reason():
    quarantine = Quarantine()
    kept = {item.id for item in validate(special.load(), TINY, quarantine)}
    assert {f"special/picture/{name}" for name in special.PICTURES} <= kept
    assert {record.item.split("/", 1)[1]: record.reason for record in quarantine.records} == {
        "count/no-words": "empty_prompt",
        "broken/truncated": "image_broken",
        "broken/empty": "image_empty",
        "broken/not-a-picture": "image_unknown_format",
        "broken/bomb": "image_too_large",
    }


def test_validate_drops_repeated_ids_bad_text_and_items_with_one_bad_picture_of_two():
    def item(key: str, prompt: str = "What is it?", images: tuple[ImageRef, ...] = ()) -> Item:
        return Item(id=key, images=images, prompt=prompt, dataset="d", split="s")

    good = next(special.load()).images[0]
    quarantine = Quarantine()
    stream = [
        item("a"),
        item("a"),
        item("b", "lone \ud800"),
        item("c", images=(good, ImageRef(data=b"x"))),
        item("d", images=(good, good)),
        Dropped("e", "image_not_local"),
    ]
    kept = list(validate(stream, TINY, quarantine))
    assert [k.id for k in kept] == ["a", "d"]
    assert kept[1].images[0].decode().size == (84, 84)
    assert [r.reason for r in quarantine.records] == [
        "duplicate_id", "not_unicode", "image_unknown_format", "image_not_local",
    ]  # fmt: skip


def test_the_mix_accounts_for_every_record_and_its_order_is_drawn_by_the_seed(folder, tmp_path):
    cfg = RealInputsConfig(folder=str(folder), **FOUR, image=TINY)
    quarantine = Quarantine()
    items = load_mix(cfg, quarantine)
    records = 4 + 2 + 4 + len(list(special.load()))
    assert len(items) + len(quarantine) == records
    assert {item.dataset for item in items} == {"figstep", "xstest", "msts", "special"}
    assert load_mix(cfg, Quarantine()) == items
    other = load_mix(RealInputsConfig(folder=str(folder), **FOUR, image=TINY, seed=1), Quarantine())
    assert [item.id for item in other] != [item.id for item in items]
    write_items(tmp_path / "mix.parquet", items)
    assert read_items(tmp_path / "mix.parquet") == items


def test_the_limit_of_a_source_is_counted(folder):
    quarantine = Quarantine()
    items = load_mix(RealInputsConfig(folder=str(folder), **FOUR, image=TINY, per_source=1), quarantine)
    assert Counter(item.dataset for item in items) == {"figstep": 1, "xstest": 1, "msts": 1, "special": 1}
    assert quarantine.counts["over_limit"] == 2 + 1 + 2 + len(special.PICTURES) + 1 + len(special.SCRIPTS) + len(
        special.SPELT_TOKENS
    ) + len(special.LENGTHS)


def test_the_mix_without_a_folder(tmp_path):
    with pytest.raises(UserError, match=r"real\.folder: no folder is set.*pass real\.folder=DIR"):
        load_mix(RealInputsConfig(**FOUR), Quarantine(), key="real")
    items = load_mix(RealInputsConfig(sources=["special"], image=TINY), Quarantine())
    assert {item.dataset for item in items} == {"special"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (FOUR | {"folder": "nowhere"}, "real_inputs.folder: no folder nowhere/figstep"),
        ({"sources": ["figstep", "mmbench"]}, "real_inputs.sources: unknown source 'mmbench'"),
        ({"sources": []}, "no sources"),
        ({"sources": ["pictograms"]}, "unknown source 'pictograms'"),
        ({"sources": ["mossbench"], "benchmarks": True}, "mossbench is for tests only: its makers forbid training on it"),
        ({"sources": ["xstest"]}, "xstest is a benchmark.*real_inputs.benchmarks=true"),
        ({"sources": ["special"], "per_source": 0}, "real_inputs.per_source"),
        ({"sources": ["special"], "image": ImageConfig(max_pixels=10)}, "min_pixels"),
    ],
)
def test_bad_settings_name_their_key(change, message):
    with pytest.raises(UserError, match=message):
        load_mix(RealInputsConfig(**change), Quarantine())


def test_the_config_is_structured():
    cfg = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RealInputsConfig), {"image": {"max_pixels": 7056}}))
    assert isinstance(cfg, RealInputsConfig) and cfg.folder is None and cfg.image.max_pixels == 7056


@real_files
def test_real_files_give_the_counts_that_stand_in_them(tmp_path):
    quarantine = Quarantine()
    items = load_mix(RealInputsConfig(folder=str(REAL), **FOUR, image=TINY), quarantine)
    kept = Counter(item.dataset for item in items)
    assert kept == {"figstep": 50 + 14, "xstest": 450, "msts": 60, "special": kept["special"]}
    dropped = Counter((record.item.split("/")[0], record.reason) for record in quarantine.records)
    assert dropped["figstep", "image_not_local"] == 36 and dropped["msts", "image_not_local"] == 160
    assert sum(dropped.values()) == 36 + 160 + sum(n for (name, _), n in dropped.items() if name == "special")
    assert Counter(item.harmful for item in items if item.dataset == "xstest") == {False: 250, True: 200}
    cautious = [item for item in items if item.dataset == "figstep" and len(item.expected) == 1]
    assert {item.category for item in cautious} == {"Legal Opinion", "Financial Advice", "Health Consultation"}
    assert all(image.decode().size == (84, 84) for item in items if item.dataset == "figstep" for image in item.images)


@real_files
def test_real_prompts_come_through_unchanged():
    with (REAL / "xstest/xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        raw = {f"xstest/{row['id']}": row["prompt"] for row in csv.DictReader(file)}
    assert {item.id: item.prompt for item in xstest.load(REAL / "xstest")} == raw
    german = [r for r in msts.load(REAL / "msts", imageless=True) if "/german_" in r.id]
    assert len(german) == 40 and any("ü" in item.prompt for item in german)
