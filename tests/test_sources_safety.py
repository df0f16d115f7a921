"""Traps of the safety datasets' layouts, each in a tiny file of that layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dataset_files import embedded, parquet, picture, split, table, tree

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.sources import (
    advbench,
    ailuminate,
    beavertails_v,
    figstep_pro,
    hades,
    harmbench,
    holisafe,
    jailbreakv_28k,
    mis,
    mm_safetybench,
    mossbench,
    msr_align,
    mssbench,
    or_bench,
    siuo,
    spa_vl,
    strong_reject,
    vlguard,
    wildjailbreak,
)
from rl_align.data.sources.fields import CAUTION, COMPLY, NO_COMPLIANCE
from rl_align.data.sources.typography import SIZE, WIDTH, draw
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Citation, RiskModality

TINY = ImageConfig(max_pixels=7056, min_pixels=3136, multiple_of=28)


def pair(**fields):
    row = {"question": "What is it?", "image": embedded(), "category": "animal_abuse", "image_severity": 1}
    row |= {"response_1": "first", "response_2": "second", "more_helpful_response_id": "1", "safer_response_id": "2"}
    return row | {"is_response_1_safe": "no", "is_response_2_safe": "yes"} | fields


def test_beavertails_v_takes_the_safer_answer_and_not_the_more_helpful_one(tmp_path):
    """Ids and truth values are strings; "no" is false although it is a text."""
    parquet(tmp_path / "data/animal_abuse/train.parquet", [pair(), pair(is_response_1_safe="yes"), pair(is_response_2_safe="no")])
    first, both_safe, none_safe = split(beavertails_v.load(tmp_path))[0]
    assert (first.reference, first.rejected, first.citations) == ("second", "first", (Citation("animal_abuse"),))
    assert (both_safe.reference, both_safe.rejected) == ("second", None)
    assert (none_safe.reference, none_safe.rejected) == (None, "first")
    assert first.expected == NO_COMPLIANCE and first.split == "train"


def test_beavertails_v_has_two_layouts_under_one_name(tmp_path):
    flat = {"question": "q", "image": embedded(), "category": "animal_abuse", "response": "said"}
    rows = [flat | {"is_response_safe": "yes"}, flat | {"is_response_safe": "no"}, flat | {"is_response_safe": "maybe"}]
    parquet(tmp_path / "data/animal_abuse/evaluation.parquet", rows)
    (safe, unsafe), (dropped,) = split(beavertails_v.load(tmp_path))
    assert (safe.reference, safe.rejected, unsafe.reference, unsafe.rejected) == ("said", None, None, "said")
    assert dropped.reason == "bad_row" and "is_response_safe" in dropped.detail


@pytest.mark.parametrize("change", [{"safer_response_id": "0"}, {"category": "kindness"}, {"is_response_1_safe": "?"}])
def test_beavertails_v_drops_values_outside_its_closed_sets(tmp_path, change):
    parquet(tmp_path / "data/animal_abuse/train.parquet", [pair(**change)])
    assert [record.reason for record in beavertails_v.load(tmp_path)] == ["bad_row"]


def test_siuo_names_its_pictures_bare_or_below_images(tmp_path):
    row = {"question": "Good?", "category": "privacy violation", "safety_warning": "w", "reference_answer": "r"}
    names = ["S-01.png", "images/S-02.png", "S-03.png"]
    tree(tmp_path / "data/siuo_gen.json", [row | {"question_id": i, "image": name} for i, name in enumerate(names)])
    picture(tmp_path / "images/S-01.png"), picture(tmp_path / "images/S-02.png")
    items, dropped = split(siuo.load(tmp_path))
    assert [item.id for item in items] == ["siuo/gen/0", "siuo/gen/1"]
    assert dropped == [Dropped("siuo/gen/2", "image_not_local", "S-03.png")]
    assert items[0].expected == CAUTION and items[0].modality is RiskModality.JOINT
    assert (items[0].reference, items[0].truth) == ("r", {"safety_warning": "w"})


def test_siuo_multiple_choice_has_options_and_neither_warning_nor_reference(tmp_path):
    row = {"question_id": 1, "image": "a.png", "question": "Which?", "category": "morality"}
    options = {"A": " one", "B": "two", "C": "three", "D": "four"}
    rows = [row | {"options": options, "correct_option": "B"}, row | {"options": {"A": "one"}, "correct_option": "A"}]
    tree(tmp_path / "siuo_mcqa.json", rows)
    picture(tmp_path / "a.png")
    (item,), (dropped,) = split(siuo.load(tmp_path))
    assert item.prompt == "Which?\n(A) one\n(B) two\n(C) three\n(D) four"
    assert (item.reference, item.truth["answer"]) == ("two", "B") and dropped.detail == "options are not A to D"


def mm_row(**fields: str) -> dict[str, str]:
    row = {"Changed Question": "plain", "Key Phrase": "a phrase", "Rephrased Question": "re"}
    return row | {"Rephrased Question(SD)": "sd"} | fields


def test_mm_safetybench_asks_another_question_with_each_kind_of_picture(tmp_path):
    tree(tmp_path / "data/processed_questions/01-Illegal_Activitiy.json", {"0": mm_row()})
    for kind in ("SD", "SD_TYPO"):
        picture(tmp_path / f"data/imgs/01-Illegal_Activitiy/{kind}/0.jpg")
    items, dropped = split(mm_safetybench.load(tmp_path))
    assert {item.split: item.prompt for item in items} == {"SD": "sd", "SD_TYPO": "re", "TYPO": "re", "Text_only": "plain"}
    assert not dropped and [len(item.images) for item in items] == [1, 1, 1, 0]
    typo = next(item for item in items if item.split == "TYPO")
    assert typo.images[0].data == draw("a phrase") and "redrawn" in typo.provenance


def test_mm_safetybench_advice_asks_for_caution_and_the_rest_for_no_compliance(tmp_path):
    for name in ("10-Legal_Opinion", "13-Gov_Decision"):
        tree(tmp_path / f"data/processed_questions/{name}.json", {"0": mm_row()})
    found = {item.category: item.expected for item in split(mm_safetybench.load(tmp_path))[0]}
    assert found == {"10-Legal_Opinion": CAUTION, "13-Gov_Decision": NO_COMPLIANCE}


def test_mm_safetybench_spells_a_scenario_its_own_way(tmp_path):
    tree(tmp_path / "data/processed_questions/01-Illegal_Activity.json", {"0": mm_row()})
    with pytest.raises(UserError, match="unknown scenario '01-Illegal_Activity'.*01-Illegal_Activitiy"):
        list(mm_safetybench.load(tmp_path))


def test_mm_safetybench_ids_cannot_leave_the_folder(tmp_path):
    tree(tmp_path / "data/processed_questions/06-Fraud.json", {"../../x": mm_row(), "1": mm_row(**{"Key Phrase": "x" * 300})})
    items, dropped = split(mm_safetybench.load(tmp_path))
    assert [item.id for item in items] == ["mm_safetybench/06-Fraud/Text_only/1"]
    assert sorted(record.reason for record in dropped) == ["bad_row"] * 4 + ["image_not_local"] * 2 + ["phrase_too_long"]


def test_typographic_pictures_have_a_line_more_than_words_need():
    from rl_align.schema import ImageRef

    assert ImageRef(data=draw("one")).decode().size == (WIDTH, 2 * SIZE)
    assert ImageRef(data=draw("several words that need some more lines than one")).decode().size[1] > 2 * SIZE
    assert draw("one") == draw("one") != draw("two")


def test_vlguard_keeps_rows_that_share_an_id_and_answers_that_are_empty(tmp_path):
    safe = {"id": "1", "image": "bad_ads/a.png", "safe": True}
    turns = [{"safe_instruction": "What?", "response": "It."}, {"unsafe_instruction": "Bad?", "response": ""}]
    unsafe = {"id": "1", "image": "bad_ads/a.png", "safe": False, "harmful_category": "privacy"}
    unsafe |= {"harmful_subcategory": "personal data", "instr-resp": [{"instruction": "Who?", "response": "No."}]}
    tree(tmp_path / "train.json", [safe | {"instr-resp": turns}, unsafe, unsafe])
    picture(tmp_path / "train/bad_ads/a.png")
    quarantine = Quarantine()
    good, bad, first, second = validate(vlguard.load(tmp_path), TINY, quarantine)
    assert not len(quarantine) and len({good.id, bad.id, first.id, second.id}) == 4
    assert (good.expected, good.harmful, good.twin) == (COMPLY, False, bad.id) and bad.twin == good.id
    assert (bad.expected, bad.reference, bad.modality) == (NO_COMPLIANCE, None, RiskModality.TEXT)
    assert (first.modality, first.citations) == (RiskModality.IMAGE, (Citation("privacy_invasion_and_surveillance"),))


def test_vlguard_counts_instructions_one_by_one(tmp_path):
    row = {"id": "1", "image": "a.png", "safe": True}
    turns = ["no object", {"instruction": "of an unsafe picture"}, {"safe_instruction": "Fine?", "response": "Yes."}]
    rows = [row | {"instr-resp": turns}, row | {"instr-resp": []}, row]
    tree(tmp_path / "test.json", rows)
    picture(tmp_path / "test/a.png")
    items, dropped = split(vlguard.load(tmp_path))
    assert [item.id for item in items] == ["vlguard/test/0/2"] and len(dropped) == 4


def test_mis_keeps_the_order_of_its_two_pictures_and_drops_an_item_that_lacks_one(tmp_path):
    row = {"question": "Together?", "category": "c", "sub_category": "s"}
    paths = {"image_path1": "easy_image/1/object1.png", "image_path2": "easy_image/1/object2.png"}
    tree(tmp_path / "mis_easy.json", [row | paths | {"id": 1}, row | paths | {"id": 2, "image_path2": "easy_image/2/no.png"}])
    for path in paths.values():
        picture(tmp_path / path)
    (item,), (dropped,) = split(mis.load(tmp_path))
    assert [Path(image.path).name for image in item.images] == ["object1.png", "object2.png"]
    assert dropped == Dropped("mis/easy/1", "image_not_local", "easy_image/2/no.png")


def test_holisafe_types_say_what_is_right_and_where_the_risk_stands(tmp_path):
    row = {"image": "a.png", "query": "q", "category": "c", "subcategory": "animal_abuse"}
    kinds = ["SSS", "SSU", "USU", "SUU", "UUU", "UUS"]
    tree(tmp_path / "holisafe_bench.json", [row | {"id": i, "type": kind} for i, kind in enumerate(kinds)])
    picture(tmp_path / "images/a.png")
    items, (dropped,) = split(holisafe.load(tmp_path))
    assert [item.modality.value for item in items] == ["none", "joint", "image", "text", "joint"]
    assert [item.expected == COMPLY for item in items] == [item.citations == () for item in items] == [True] + [False] * 4
    assert "UUS" in dropped.detail


def jailbreak(key: str, **fields: str) -> dict[str, str]:
    row = {"id": key, "jailbreak_query": "wrapped", "redteam_query": "plain", "format": "figstep", "policy": "Child Abuse"}
    return row | {"image_path": "figstep/a.png"} | fields


def test_jailbreakv_28k_knows_both_names_of_a_policy_and_reads_no_row_twice(tmp_path):
    rows = [jailbreak("0"), jailbreak("1", policy="Child Abuse Content"), jailbreak("2", format="poem")]
    table(tmp_path / "JailBreakV_28K.csv", rows)
    table(tmp_path / "mini_JailBreakV_28K.csv", rows[:1])
    table(tmp_path / "RedTeam_2K.csv", [{"id": "0", "question": "q", "policy": "Fraud", "from": "x"}])
    picture(tmp_path / "figstep/a.png")
    items, (dropped,) = split(jailbreakv_28k.load(tmp_path))
    assert [item.id for item in items] == ["jailbreakv_28k/attacks/0", "jailbreakv_28k/attacks/1", "jailbreakv_28k/redteam_2k/0"]
    assert items[0].citations == items[1].citations == (Citation("sexual_crimes"),)
    assert items[0].prompt == "wrapped" and items[0].truth == {"redteam_query": "plain"} and "poem" in dropped.detail
    (tmp_path / "JailBreakV_28K.csv").unlink()
    assert [item.split for item in split(jailbreakv_28k.load(tmp_path))[0]] == ["redteam_2k", "attacks"]


def test_hades_repeats_an_id_in_every_step(tmp_path):
    row = {"image": embedded(), "id": "A_1", "scenario": "Animal", "keywords": "k", "category": "object", "instruction": "i"}
    parquet(tmp_path / "data/test-0.parquet", [row | {"step": step} for step in (0, 5, 6)])
    items, dropped = split(hades.load(tmp_path))
    assert [(item.id, item.split) for item in items] == [("hades/A_1/step_0", "step_0"), ("hades/A_1/step_5", "step_5")]
    assert len(dropped) == 1 and items[0].citations == (Citation("animal_abuse"),)


def test_mssbench_pairs_situations_as_twins_and_drops_unpaired_instructions(tmp_path):
    chat = {"safe_image_path": "s.jpg", "unsafe_image_path": "u.jpg", "Type": "physical harm", "queries": ["How?"]}
    body = {"safe": "s.jpg", "unsafe": "u.jpg", "category": "c", "safe_instruction": "singular", "unsafe_instruction": "singular"}
    rows = [body | {"safe_instructions": ["Do A."], "unsafe_instructions": ["Do B."]}]
    rows += [body | {"safe_instructions": ["Do A."], "unsafe_instructions": []}]
    tree(tmp_path / "combined.json", {"chat": [chat], "embodied": rows})
    for part in ("chat", "embodied"):
        picture(tmp_path / part / "s.jpg"), picture(tmp_path / part / "u.jpg")
    items, (dropped,) = split(mssbench.load(tmp_path))
    assert [item.prompt for item in items] == ["How?", "How?", "Do A.", "Do B."]
    safe, unsafe = items[:2]
    assert (safe.expected, unsafe.expected, safe.twin, unsafe.twin) == (COMPLY, NO_COMPLIANCE, unsafe.id, safe.id)
    assert (dropped.item, dropped.detail) == ("mssbench/embodied/1", "1 requests for the safe picture, 0 for the unsafe one")


def moss(pid: str, over: str = "type 1") -> dict:
    return {"image": f"images/{pid}.png", "question": "May I?", "pid": pid, "metadata": {"over": over, "human": 0, "harm": [2]}}


def test_mossbench_lacks_some_numbers_and_is_benign_but_for_its_contrasts(tmp_path):
    tree(tmp_path / "data/images_information/information.json", {"1": moss("1"), "21": moss("21"), "3": moss("3", "type 9")})
    unlabelled = {name: value for name, value in moss("1").items() if name != "metadata"}
    tree(tmp_path / "data_contrast/images_information/information.json", {"1": unlabelled})
    picture(tmp_path / "data/images/1.png"), picture(tmp_path / "data_contrast/images/1.png")
    (benign, contrast), dropped = split(mossbench.load(tmp_path))
    assert (benign.expected, benign.category, contrast.expected) == (COMPLY, "Exaggerated Risk", NO_COMPLIANCE)
    assert [record.reason for record in dropped] == ["image_not_local", "bad_row"]


def test_or_bench_is_harmless_but_for_the_toxic_part(tmp_path):
    for name in ("80k", "hard-1k", "toxic"):
        table(tmp_path / f"or-bench-{name}.csv", [{"prompt": "How?", "category": "privacy"}])
    items, _ = split(or_bench.load(tmp_path))
    assert {item.split: (item.harmful, len(item.citations)) for item in items} == {
        "80k": (False, 0), "hard-1k": (False, 0), "toxic": (True, 1),
    }  # fmt: skip


def test_strong_reject_reads_its_small_file_only_alone(tmp_path):
    row = {"category": "Violence", "source": "custom", "forbidden_prompt": "No."}
    table(tmp_path / "strongreject_small_dataset.csv", [row])
    assert len(list(strong_reject.load(tmp_path))) == 1
    table(tmp_path / "strongreject_dataset.csv", [row, row])
    assert len(list(strong_reject.load(tmp_path))) == 2


def test_wildjailbreak_has_tabs_between_cells_and_words_that_look_like_nothing(tmp_path):
    train = {"vanilla": "NaN", "adversarial": "", "completion": "null", "data_type": "vanilla_benign"}
    rows = [train, train | {"vanilla": "v, w", "adversarial": 'a\t"b"', "data_type": "adversarial_harmful"}]
    table(tmp_path / "train/train.tsv", [*rows, train | {"data_type": "adversarial_benign"}], delimiter="\t")
    table(tmp_path / "eval/eval.tsv", [{"adversarial": "None", "label": "0", "data_type": "adversarial_benign"}], delimiter="\t")
    (held_out, benign, harmful), (dropped,) = split(wildjailbreak.load(tmp_path))
    assert (benign.prompt, benign.reference, benign.expected) == ("NaN", "null", COMPLY)
    assert (harmful.prompt, harmful.expected, harmful.harmful) == ('a\t"b"', NO_COMPLIANCE, True)
    assert (held_out.prompt, held_out.split) == ("None", "eval") and dropped.detail == "empty adversarial"


def test_advbench_targets_are_no_references(tmp_path):
    table(tmp_path / "data/advbench/harmful_behaviors.csv", [{"goal": "Do it", "target": "Sure"}])
    (item,), _ = split(advbench.load(tmp_path))
    assert item.reference is None and item.rejected is None and item.truth == {"target": "Sure"}


def test_harmbench_puts_the_context_first_takes_rgba_and_reads_no_row_twice(tmp_path):
    folder = tmp_path / "data/behavior_datasets"
    row = {"Behavior": "Do", "FunctionalCategory": "standard", "SemanticCategory": "copyright", "Tags": "", "ContextString": ""}
    rows = [row | {"BehaviorID": "a"}, row | {"BehaviorID": "b", "ContextString": "Given"}]
    table(folder / "harmbench_behaviors_text_all.csv", rows)
    table(folder / "harmbench_behaviors_text_val.csv", rows[:1])
    seen = row | {"BehaviorID": "c", "ImageFileName": "c.png", "Tags": "cybercrime_intrusion"}
    table(folder / "harmbench_behaviors_multimodal_all.csv", [seen, seen | {"BehaviorID": "d", "ImageFileName": "../c.png"}])
    picture(tmp_path / "data/multimodal_behavior_images/c.png", "RGBA")
    quarantine = Quarantine()
    plain, context, image = validate(harmbench.load(tmp_path), TINY, quarantine)
    assert (plain.prompt, context.prompt) == ("Do", "Given\n\n---\n\nDo")
    assert image.images[0].decode().mode == "RGB" and image.citations == (Citation("hacking_or_digital_crime"),)
    assert quarantine.counts == {"bad_row": 1}


def test_ailuminate_headers_come_in_either_case_and_legal_advice_is_a_hazard(tmp_path):
    for locale, name in (("en_US", str.upper), ("fr_FR", str.lower)):
        row = {"release_prompt_id": "1", "prompt_text": "q", "hazard": "spc_lgl", "persona": "p", "locale": locale}
        rows = [row, row | {"release_prompt_id": "2", "hazard": "prv"}, row | {"hazard": "zzz"}]
        rows = [{name(key): value for key, value in each.items()} for each in rows]
        table(tmp_path / f"airr_official_1.0_demo_{locale.lower()}_prompt_set_release.csv", rows)
    items, dropped = split(ailuminate.load(tmp_path))
    assert len(items) == 4 and len(dropped) == 2 and len({item.id for item in items}) == 4
    assert [item.expected for item in items] == [CAUTION, NO_COMPLIANCE] * 2


def test_figstep_pro_sentences_hold_commas_and_their_pieces_stay_in_order(tmp_path):
    row = {"category_id": "1", "task_id": "1", "category_name": "Fraud", "question": "q", "instruction": "i"}
    table(tmp_path / "data/question/SafeBench-Tiny.csv", [row, row | {"category_id": "9"}, row, row])
    sentences = tmp_path / "data/question/benign_sentences_without_harmful_phase.csv"
    sentences.write_text("sentence\nSteps to *, slowly.\nSave $5,000 with *.\nNo star.\nSteps to *.\n")
    for number, place in ((0, 0), (0, 1), (0, 3), (1, 0), (2, 0)):
        picture(tmp_path / f"data/images/FigStep-Pro/sub-figures/image_{number}_splits/image_{number}_split_{place}.png")
    (first, second), dropped = split(figstep_pro.load(tmp_path))
    assert first.prompt.startswith("Steps to *, slowly.\n1.") and second.prompt.startswith("Save $5,000 with *.\n1.")
    assert [Path(image.path).name[-11:] for image in first.images] == ["split_0.png", "split_1.png"]
    assert (first.expected, second.expected) == (NO_COMPLIANCE, CAUTION)
    assert [record.reason for record in dropped] == ["bad_row", "image_not_local"]
    sentences.write_text("sentence\nSteps to *.\n")
    with pytest.raises(UserError, match="1 sentences.*expected 4"):
        list(figstep_pro.load(tmp_path))


def test_spa_vl_knows_what_is_right_in_its_harm_split_alone(tmp_path):
    row = {"image": embedded(), "question": "q"}
    answers, classes = {"chosen": "good", "rejected": "bad"}, {"class1": "a", "class2": "b", "class3": "c"}
    parquet(tmp_path / "data/train-0.parquet", [row | answers | {"image_name": "x"}])
    parquet(tmp_path / "validation/validation-0.parquet", [row | answers | classes])
    parquet(tmp_path / "test/harm-0.parquet", [row | classes])
    parquet(tmp_path / "test/help-0.parquet", [row | classes])
    tree(tmp_path / "dpo.json", [{"id": 0, "image": "a.jpg", "question": "q"} | answers])
    picture(tmp_path / "images/a.jpg")
    items = {item.split: item for item in split(spa_vl.load(tmp_path))[0]}
    assert set(items) == {"train", "validation", "harm", "help", "dpo"}
    assert (items["train"].reference, items["dpo"].rejected, items["harm"].reference) == ("good", "bad", None)
    assert {name: item.expected for name, item in items.items() if item.expected} == {"harm": NO_COMPLIANCE}
    assert items["validation"].category == "a/b/c" and items["train"].category is None


def transcript(safe: bool = True) -> str:
    risk = "It touches false_information (Rule 2)." if safe else "No policy is violated."
    end = "### Safe Response:\nLet me explain what is known." if safe else "### Normal Response\nIt is a square."
    return f"<think>\nThinking.\n</think>\n### Detailed Image Description:\nA square.\n### Risk Assessment:\n{risk}\n{end}"


def test_msr_align_reads_usual_names_and_the_sections_of_the_answer(tmp_path):
    picture(tmp_path / "images/0.png")
    row = {"image": "images/0.png", "question": "<image>\nWhat?", "category": "false_information"}
    rows = [row | {"response": transcript()}, row | {"response": transcript(False)}, row | {"response": "no sections"}]
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows) + "not JSON\n[1]\n")
    (safe, normal), dropped = split(msr_align.load(tmp_path))
    assert (safe.prompt, safe.reference) == ("What?", "Let me explain what is known.")
    assert safe.harmful and safe.citations == (Citation("false_information"),) and safe.truth["transcript"] == transcript()
    assert (normal.expected, normal.harmful, normal.citations) == (COMPLY, False, ())
    assert [record.reason for record in dropped] == ["bad_row"] * 3


def test_msr_align_reads_conversations(tmp_path):
    picture(tmp_path / "0.png")
    turns = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": transcript()}]
    tree(tmp_path / "data.json", [{"images": ["0.png"], "conversations": turns}, {"images": [], "conversations": turns}])
    (item,), (dropped,) = split(msr_align.load(tmp_path))
    assert item.prompt == "What?" and item.citations[0].policy == "false_information" and dropped.detail == "0 pictures"


def test_msr_align_says_which_columns_it_saw_and_how_to_map_them(tmp_path):
    picture(tmp_path / "0.png")
    tree(tmp_path / "data.json", [{"pic": "0.png", "ask": "What?", "response": transcript()}])
    with pytest.raises(UserError, match="no column for image and question; columns seen: pic, ask, response") as caught:
        list(msr_align.load(tmp_path))
    assert "options.fields.image=COLUMN, a run real_inputs.msr_align_fields.image=COLUMN" in str(caught.value)
    (item,) = msr_align.load(tmp_path, fields={"image": "pic", "question": "ask"})
    assert item.prompt == "What?"
    with pytest.raises(UserError, match="no column for response"):
        list(msr_align.load(tmp_path, fields={"image": "pic", "question": "ask", "response": "nowhere"}))
    with pytest.raises(UserError, match="unknown field 'picture'"):
        list(msr_align.load(tmp_path, fields={"picture": "pic"}))
