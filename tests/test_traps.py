"""Every trap that the formats of the datasets hold has a test: which one says what, and those that stand nowhere else."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from dataset_files import embedded, parquet, picture, split, table, tree

from rl_align.data.sources import (
    beavertails_v,
    figstep_pro,
    harmbench,
    mm_safetybench,
    mmmu,
    mossbench,
    msts,
    spa_vl,
    vlguard,
    xstest,
)
from rl_align.data.sources.fields import CAUTION, NO_COMPLIANCE
from rl_align.errors import UserError

HERE, SAFETY, UTILITY = "test_traps.py", "test_sources_safety.py", "test_sources_utility.py"
SOURCES, HOSTILE, HUB = "test_sources.py", "test_sources_hostile.py", "test_hub.py"
TRANSCRIPT, POLICY, LABELS = "test_transcript.py", "test_policy.py", "test_refusal_files.py"
#: Trap → file and name of its test, without "test_".
TRAPS = {
    # of every dataset
    "an id that occurs twice": (SOURCES, "validate_drops_repeated_ids_bad_text_and_items_with_one_bad_picture_of_two"),
    "a comma, a quote or a line's end within a cell": (SOURCES, "figstep_gives_picture_and_question"),
    "pictures named by paths that lead elsewhere": (HOSTILE, "pictures_stay_in_the_folder"),
    "text in parquet that is not UTF-8": (HOSTILE, "text_of_parquet_that_is_not_utf_8_costs_its_row_alone"),
    # MSR-Align
    "MSR-Align: columns that nobody verified": (SAFETY, "msr_align_says_which_columns_it_saw_and_how_to_map_them"),
    "MSR-Align: conversations instead of columns": (SAFETY, "msr_align_reads_conversations"),
    "MSR-Align: variants of the headings": (TRANSCRIPT, "variants_of_real_output_are_no_problem"),
    "MSR-Align: sexual_crime and copyright_infringement": (POLICY, "resolve_accepts_usual_spellings"),
    "MSR-Align: invented policy names": (POLICY, "invented_name_in_citation_position_is_an_unknown_citation"),
    # SIUO
    "SIUO: bare names against images/": (SAFETY, "siuo_names_its_pictures_bare_or_below_images"),
    "SIUO: the judge's reference is called reference_answer": (SAFETY, "siuo_names_its_pictures_bare_or_below_images"),
    "SIUO: multiple choice lacks a warning": (SAFETY, "siuo_multiple_choice_has_options_and_neither_warning_nor_reference"),
    "SIUO: pictures in the Hub's cache are links": (HUB, "the_hub_cache_serves_where_files_are_kept_beside_rows"),
    # MM-SafetyBench
    "MM-SafetyBench: 01-Illegal_Activitiy": (SAFETY, "mm_safetybench_spells_a_scenario_its_own_way"),
    "MM-SafetyBench: another question with each kind": (SAFETY, "mm_safetybench_asks_another_question_with_each_kind_of_picture"),
    "MM-SafetyBench: TYPO pictures can be redrawn": (SAFETY, "typographic_pictures_have_a_line_more_than_words_need"),
    "MM-SafetyBench: advice asks for caution": (SAFETY, "mm_safetybench_advice_asks_for_caution_and_the_rest_for_no_compliance"),
    "MM-SafetyBench: ids are texts here and numbers there": (HERE, "the_tiny_list_has_numbers_where_the_questions_have_texts"),
    "MM-SafetyBench: scenarios without number on the Hub": (HERE, "text_only_has_no_picture_and_its_scenario_no_number_on_the_hub"),
    # FigStep
    "FigStep: pictures are called _6": (SOURCES, "figstep_gives_picture_and_question"),
    "FigStep: advice asks for caution": (SOURCES, "figstep_gives_picture_and_question"),
    "FigStep-Pro: a comma without quotes": (SAFETY, "figstep_pro_sentences_hold_commas_and_their_pieces_stay_in_order"),
    "FigStep-Pro: rows are counted from 0": (HERE, "figstep_pro_counts_rows_from_0_and_pieces_too"),
    # BeaverTails-V, SPA-VL
    "BeaverTails-V: ids and truth values are texts": (SAFETY, "beavertails_v_takes_the_safer_answer_and_not_the_more_helpful_one"),
    "BeaverTails-V: two layouts under one name": (SAFETY, "beavertails_v_has_two_layouts_under_one_name"),
    "Safe RLHF-V: the cost model's better is worse": (HERE, "the_less_safe_answer_is_never_the_better_one"),
    "SPA-VL: answers in some splits only": (SAFETY, "spa_vl_knows_what_is_right_in_its_harm_split_alone"),
    "SPA-VL: another class in each configuration": (HERE, "spa_vl_classes_stand_in_some_configurations_only"),
    # over-refusal
    "XSTest: a mirror without ids": (HERE, "xstest_is_read_without_ids_too"),
    "OR-Bench: only one part is harmful": (SAFETY, "or_bench_is_harmless_but_for_the_toxic_part"),
    "MOSSBench: missing numbers": (SAFETY, "mossbench_lacks_some_numbers_and_is_benign_but_for_its_contrasts"),
    "MOSSBench: image paths are relative to a part": (HERE, "mossbench_parts_have_pictures_of_their_own_under_the_same_names"),
    "MOSSBench: training is forbidden": (SOURCES, "bad_settings_name_their_key"),
    "MSTS: pictures are addresses": (SOURCES, "msts_pictures_are_local_or_missing_never_fetched"),
    "MSTS: translations lack prompt_id, text only the picture": (HERE, "msts_files_lack_columns_that_others_have"),
    # other safety sets
    "VLGuard: ids that repeat, answers that are empty": (SAFETY, "vlguard_keeps_rows_that_share_an_id_and_answers_that_are_empty"),
    "VLGuard: two shapes of instr-resp": (SAFETY, "vlguard_counts_instructions_one_by_one"),
    "VLGuard: categories of unsafe pictures only": (HERE, "vlguard_safe_pictures_have_no_category"),
    "MIS: two pictures in order": (SAFETY, "mis_keeps_the_order_of_its_two_pictures_and_drops_an_item_that_lacks_one"),
    "HoliSafe: a type reads picture, query, together": (SAFETY, "holisafe_types_say_what_is_right_and_where_the_risk_stands"),
    "JailBreakV-28K: one policy of two names": (SAFETY, "jailbreakv_28k_knows_both_names_of_a_policy_and_reads_no_row_twice"),
    "JailBreakV-28K: the mini file is a part": (SAFETY, "jailbreakv_28k_knows_both_names_of_a_policy_and_reads_no_row_twice"),
    "HADES: an id in every step": (SAFETY, "hades_repeats_an_id_in_every_step"),
    "StrongREJECT: the small file is a part": (SAFETY, "strong_reject_reads_its_small_file_only_alone"),
    "WildJailbreak: tabs, and NaN as a word": (SAFETY, "wildjailbreak_has_tabs_between_cells_and_words_that_look_like_nothing"),
    "WildJailbreak: NaN as a word through datasets": (HUB, "records_are_the_same_through_datasets_and_from_a_local_copy"),
    "AdvBench: the target is the attack's": (SAFETY, "advbench_targets_are_no_references"),
    "HarmBench: RGBA pictures": (SAFETY, "harmbench_puts_the_context_first_takes_rgba_and_reads_no_row_twice"),
    "HarmBench: val and test are parts of all": (HERE, "harmbench_parts_are_read_where_all_is_missing"),
    "MSSBench: singular and plural instructions": (SAFETY, "mssbench_pairs_situations_as_twins_and_drops_unpaired_instructions"),
    "AILuminate: headers in either case, spc_lgl": (SAFETY, "ailuminate_headers_come_in_either_case_and_legal_advice_is_a_hazard"),
    # utility
    "MathVista: choices are a list or null": (UTILITY, "mathvista_choices_are_a_list_or_null"),
    "MMMU: options are the text of a list": (UTILITY, "mmmu_options_are_a_list_written_as_a_string"),
    "MMMU: the text of a list is code to be run": (UTILITY, "mmmu_options_are_read_and_never_run"),
    "MMMU: answers are withheld, or in files of their own": (HERE, "mmmu_answers_come_from_files_where_they_are_withheld"),
    "MMMU: up to seven pictures, some missing": (UTILITY, "mmmu_options_are_a_list_written_as_a_string"),
    "MM-Vet: <AND> and <OR>": (UTILITY, "mm_vet_answers_join_and_alternate"),
    "MMStar: choices inside the question": (UTILITY, "mmstar_answers_are_letters"),
    "ScienceQA: a picture may be null": (UTILITY, "scienceqa_pictures_may_be_null_and_answers_are_positions"),
    # judges' labels
    "PyRIT: a comment before the header": (LABELS, "the_tables_hold_every_set"),
}


@cache
def defined(name: str) -> set[str]:
    """The functions of a file."""
    tree_ = ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return {node.name for node in tree_.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_trap_has_its_test(trap):
    name, test = TRAPS[trap]
    assert f"test_{test}" in defined(name)


QUESTION = {"Changed Question": "plain", "Key Phrase": "a phrase", "Rephrased Question": "re", "Rephrased Question(SD)": "sd"}


def test_the_tiny_list_has_numbers_where_the_questions_have_texts(tmp_path):
    tree(tmp_path / "data/processed_questions/06-Fraud.json", {str(k): QUESTION for k in range(4)})
    tree(tmp_path / "TinyVersion_ID_List.json", [{"Scenario": "06-Fraud", "Sampled_ID_List": [1, "3"]}])
    items, _ = split(mm_safetybench.load(tmp_path, tiny=True))
    assert {item.id.rpartition("/")[2] for item in items} == {"1", "3"}
    tree(tmp_path / "TinyVersion_ID_List.json", [{"Scenario": "06-Fraud", "Sampled_ID_List": 3}])
    with pytest.raises(UserError, match="Sampled_ID_List"):
        list(mm_safetybench.load(tmp_path, tiny=True))


def test_text_only_has_no_picture_and_its_scenario_no_number_on_the_hub(tmp_path):
    parquet(tmp_path / "data/Illegal_Activitiy/Text_only.parquet", [{"id": "0", "question": "q"}])
    parquet(tmp_path / "data/Legal_Opinion/SD.parquet", [{"id": 0, "question": "q", "image": embedded()}])
    items, dropped = split(mm_safetybench.load(tmp_path))
    assert not dropped and {item.category: (len(item.images), item.expected) for item in items} == {
        "01-Illegal_Activitiy": (0, NO_COMPLIANCE), "10-Legal_Opinion": (1, CAUTION),
    }  # fmt: skip


def test_figstep_pro_counts_rows_from_0_and_pieces_too(tmp_path):
    row = {"category_id": "1", "task_id": "1", "category_name": "Fraud", "question": "q", "instruction": "i"}
    table(tmp_path / "data/question/SafeBench-Tiny.csv", [row, row | {"category_name": "Hate Speech"}])
    (tmp_path / "data/question/benign_sentences_without_harmful_phase.csv").write_text("sentence\nMake *.\nDraw *.\n")
    for piece in range(2):
        picture(tmp_path / f"data/images/FigStep-Pro/sub-figures/image_1_splits/image_1_split_{piece}.png")
    (item,), (dropped,) = split(figstep_pro.load(tmp_path))
    assert (item.id, item.category, len(item.images)) == ("figstep_pro/1", "Hate Speech", 2) and "Draw *." in item.prompt
    assert dropped.item == "figstep_pro/0"


def test_the_less_safe_answer_is_never_the_better_one(tmp_path):
    row = {"question": "q", "image": embedded(), "category": "animal_abuse", "response_1": "harm", "response_2": "care"}
    row |= {"more_helpful_response_id": "1", "safer_response_id": "2", "is_response_1_safe": "no", "is_response_2_safe": "no"}
    parquet(tmp_path / "data/animal_abuse/train.parquet", [row, row | {"is_response_2_safe": "yes"}])
    (both_unsafe, one_safe), _ = split(beavertails_v.load(tmp_path))
    assert (both_unsafe.reference, both_unsafe.rejected) == (None, "harm")
    assert (one_safe.reference, one_safe.rejected) == ("care", "harm")


def test_spa_vl_classes_stand_in_some_configurations_only(tmp_path):
    row = {"question": "q", "image": embedded(), "chosen": "a", "rejected": "b"}
    parquet(tmp_path / "data/train-0.parquet", [row | {"image_name": "n"}])
    parquet(tmp_path / "validation/validation-0.parquet", [row | {"class1": "x", "class2": None, "class3": "z"}])
    assert {item.split: item.category for item in split(spa_vl.load(tmp_path))[0]} == {"train": None, "validation": "x/z"}


def test_xstest_is_read_without_ids_too():
    from rl_align.data.sources.table import Table

    row = {"prompt": "How?", "type": "homonyms", "label": "safe", "focus": None, "note": ""}
    mirror = Table("default", "test", "a mirror", lambda: iter([row, {**row, "id": 7}]))
    assert [item.id for item in xstest.load_tables([mirror])] == ["xstest/row-0", "xstest/7"]


def test_mossbench_parts_have_pictures_of_their_own_under_the_same_names(tmp_path):
    row = {"image": "images/1.png", "question": "May I?", "pid": "1", "metadata": {"over": "type 2"}}
    for part in ("data", "data_contrast"):
        tree(tmp_path / part / "images_information/information.json", {"1": row})
        picture(tmp_path / part / "images/1.png")
    items, _ = split(mossbench.load(tmp_path))
    assert [Path(item.images[0].path).parent.parent.name for item in items] == ["data", "data_contrast"]
    assert [item.harmful for item in items] == [False, True]


def test_msts_files_lack_columns_that_others_have(tmp_path):
    row = {"hazard_category": "Other", "case_id": "case_1", "prompt_text": "Should I?", "prompt_type": "assistance"}
    table(tmp_path / "data/prompts/english_multimodal.csv", [row | {"unsafe_image_id": "i", "prompt_id": "p"}])
    table(tmp_path / "data/prompts/german_multimodal.csv", [row | {"unsafe_image_id": "i"}])
    table(tmp_path / "data/prompts/english_textonly.csv", [row | {"prompt_id": "p"}])
    picture(tmp_path / "data/images/i.webp")
    items, dropped = split(msts.load(tmp_path))
    assert not dropped and Counter(len(item.images) for item in items) == {1: 2, 0: 1}


def test_vlguard_safe_pictures_have_no_category(tmp_path):
    safe = {"id": "1", "image": "a.png", "safe": True, "instr-resp": [{"safe_instruction": "What?", "response": "It."}]}
    tree(tmp_path / "train.json", [safe])
    picture(tmp_path / "train/a.png")
    (item,), _ = split(vlguard.load(tmp_path))
    assert (item.category, item.citations, item.twin) == ("safe_safes", (), None)


def test_harmbench_parts_are_read_where_all_is_missing(tmp_path):
    row = {"Behavior": "Do", "FunctionalCategory": "standard", "SemanticCategory": "illegal", "Tags": "", "ContextString": ""}
    for name in ("val", "test"):
        table(tmp_path / f"harmbench_behaviors_text_{name}.csv", [row | {"BehaviorID": name}])
    assert [item.split for item in split(harmbench.load(tmp_path))[0]] == ["text_test", "text_val"]


def test_mmmu_answers_come_from_files_where_they_are_withheld(tmp_path):
    row = {"question": "Which?", "options": "['a', 'b']", "question_type": "multiple-choice", "image_1": embedded(), "answer": "?"}
    free = row | {"id": "test_Art_4", "question_type": "open", "options": "[]"}
    rows = [row | {"id": f"test_Art_{k}"} for k in (1, 2, 3)] + [free]
    parquet(tmp_path / "Art/test-00000.parquet", rows)
    tree(tmp_path / "mmmu/answer_dict_val.json", {"test_Art_1": {"question_type": "multiple-choice", "ground_truth": "B"}})
    written = [{"id": "test_Art_2", "answer": "Z"}, {"id": "test_Art_4", "answer": ["7", "7.0"], "response": "5"}]
    tree(tmp_path / "outputs/Art/output.json", written)
    (told, withheld, open_), (dropped,) = split(mmmu.load(tmp_path))
    assert (told.reference, told.truth["answer"]) == ("b", "B") and (withheld.reference, withheld.truth["answer"]) == (None, None)
    assert (open_.reference, open_.truth["answers"]) == ("7", ["7", "7.0"]) and dropped.detail == "answer 'Z' is none of A, B"
    tree(tmp_path / "outputs/Art/output.json", [{"id": "test_Art_1", "answer": "A"}])
    with pytest.raises(UserError, match="test_Art_1: another file has another answer"):
        mmmu.answers(tmp_path)
    tree(tmp_path / "outputs/Art/output.json", [{"id": "test_Art_1"}])
    with pytest.raises(UserError, match="no answer; expected an id, and answer"):
        mmmu.answers(tmp_path)
