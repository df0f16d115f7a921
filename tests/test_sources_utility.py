"""Traps of the utility datasets' layouts, each in a tiny file of that layout."""

from __future__ import annotations

import pytest
from dataset_files import embedded, parquet, picture, split, tree

from rl_align.data.sources import mathvista, mm_vet, mmmu, mmstar, scienceqa
from rl_align.data.sources.fields import COMPLY


def vista(**fields):
    row = {"question": "How much?", "image": "images/1.jpg", "choices": None, "unit": None, "precision": 1, "answer": "1.2"}
    return row | {"question_type": "free_form", "answer_type": "float"} | fields


def test_mathvista_choices_are_a_list_or_null(tmp_path):
    choice = vista(question_type="multi_choice", choices=["3", "4"], answer="4", answer_type="text")
    rows = {"1": vista(), "2": choice, "3": choice | {"answer": "5"}, "4": choice | {"choices": None}, "5": vista(unit="g")}
    tree(tmp_path / "data/testmini.json", rows)
    picture(tmp_path / "data/images/1.jpg")
    (free, chosen, unit), dropped = split(mathvista.load(tmp_path))
    assert (free.prompt, free.reference, free.truth["precision"]) == ("How much?", "1.2", 1)
    assert (chosen.prompt, chosen.reference, chosen.truth["letter"]) == ("How much?\n(A) 3\n(B) 4", "4", "B")
    assert unit.prompt == "How much? (Unit: g)" and unit.expected == COMPLY and unit.harmful is False
    assert [record.item for record in dropped] == ["mathvista/3", "mathvista/4"]


def mmmu_row(**fields):
    row = {"id": "validation_Art_1", "question": "What is in <image 1>?", "options": "['a', \"it's b\"]", "answer": "B"}
    row |= {"question_type": "multiple-choice", "image_1": embedded(), "image_2": None, "image_3": embedded()}
    return row | fields


def test_mmmu_options_are_a_list_written_as_a_string(tmp_path):
    rows = [mmmu_row(), mmmu_row(id="2", answer="C"), mmmu_row(id="3", answer="?")]
    rows += [mmmu_row(id="4", question_type="open", options="[]", answer="['7', '7.0']")]
    parquet(tmp_path / "Art/validation-0.parquet", rows)
    (item, withheld, free), (dropped,) = split(mmmu.load(tmp_path))
    assert item.prompt == "What is in [image 1]?\n(A) a\n(B) it's b" and item.reference == "it's b"
    assert len(item.images) == 2 and item.category == "Art"
    assert withheld.reference is None and free.prompt == "What is in [image 1]?"
    assert dropped.detail == "answer 'C' is none of A, B"


@pytest.mark.parametrize(
    "options", ["__import__('os')", "[x for x in y]", "[1, [2]]", "{}", "[" * 5000, "-" * 9000 + "1", "['a'", "'a\0'", "[''] "]
)
def test_mmmu_options_are_read_and_never_run(tmp_path, options):
    parquet(tmp_path / "Art/validation-0.parquet", [mmmu_row(options=options)])
    assert [record.reason for record in mmmu.load(tmp_path)] == ["bad_row"]


def test_mm_vet_answers_join_and_alternate(tmp_path):
    row = {"imagename": "v1_0.png", "question": "q", "imagesource": "s", "capability": ["rec", "ocr"]}
    tree(tmp_path / "mm-vet.json", {"v1_0": row | {"answer": "x<AND>y<OR>z"}, "v1_1": row | {"answer": 3}})
    picture(tmp_path / "images/v1_0.png")
    (item,), (dropped,) = split(mm_vet.load(tmp_path))
    assert (item.reference, item.truth["answers"], item.category) == ("x, y", [["x", "y"], ["z"]], "ocr+rec")
    assert dropped.detail == "answer is int, not text"


def test_mmstar_answers_are_letters(tmp_path):
    row = {"index": 0, "question": "Which?\nOptions: A: a, B: b", "image": embedded(), "category": "c", "l2_category": "d"}
    parquet(tmp_path / "val-0.parquet", [row | {"answer": "B"}, row | {"answer": "E"}])
    (item,), (dropped,) = split(mmstar.load(tmp_path))
    assert (item.id, item.reference, item.category) == ("mmstar/0", "B", "c/d") and "answer 'E'" in dropped.detail


def test_scienceqa_pictures_may_be_null_and_answers_are_positions(tmp_path):
    row = {"question": "Which?", "choices": ["sky", "grass"], "answer": 0, "hint": "", "image": None, "split": "test"}
    row |= {"subject": "s", "topic": "t"}
    rows = {"1": row, "2": row | {"image": "image.png", "hint": "Look."}, "3": row | {"answer": 2}, "4": row | {"answer": True}}
    tree(tmp_path / "problems.json", rows | {"../5": row | {"image": "image.png"}})
    picture(tmp_path / "test/2/image.png")
    (words, seen), dropped = split(scienceqa.load(tmp_path))
    assert (words.images, words.prompt, words.reference) == ((), "Which?\n(A) sky\n(B) grass", "sky")
    assert seen.prompt.startswith("Look.\nWhich?") and len(seen.images) == 1
    assert [record.reason for record in dropped] == ["bad_row"] * 3 and "leaves the folder" in dropped[2].detail
