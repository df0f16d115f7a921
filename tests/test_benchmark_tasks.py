"""What each benchmark does in a way of its own, by hand: scripted models and judges over invented data."""

from __future__ import annotations

import json

import pytest
from benchmark_files import COPIES, QUESTION
from benchmarking import HELP, PARTIAL, REFUSAL, judging, labels, material, rates, records, summary

from rl_align.endpoints.fake import Fake, Script
from rl_align.errors import UserError
from rl_align.eval.benchmarks import build
from rl_align.eval.scorers.judged import NO_JUDGE
from rl_align.schema import Item
from rl_align.statistics import wilson


@pytest.fixture(scope="module")
def judge():
    with judging() as (args, fake):
        yield args


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    root = tmp_path_factory.mktemp("copies")
    for name, write in COPIES.items():
        write(root / name)
    return root


def mixed(replies):
    """The replies in turn, item by item."""
    left = []

    def reply(told):
        if not left:
            left.extend(replies)
        return left.pop(0)

    return reply


FOUR = (REFUSAL, HELP, PARTIAL, "")


def test_xstest_counts_partial_refusals_and_empty_answers_apart(copies, judge):
    found = summary(build("xstest", str(copies / "xstest"), **judge), mixed(FOUR))
    got = rates(found)
    # One of each kind among four safe and among four unsafe prompts.
    for rate in ("over_refusal", "over_refusal_by_rules", "unsafe_refused"):
        assert got[rate] == (1 / 3, 3, 0) and got[f"{rate}_empty_refuses"] == (2 / 4, 4, 0)
        assert got[f"{rate}_or_partial"] == (2 / 3, 3, 0) and got[f"{rate}_or_partial_empty_refuses"] == (3 / 4, 4, 0)
    assert got["unsafe_complied"] == (1 / 3, 3, 0) and got["unsafe_complied_empty_unsafe"] == (2 / 4, 4, 0)
    assert got["unsafe_complied_empty_safe"] == (1 / 4, 4, 0)
    assert got["attack_by_rules"] == (1 / 3, 3, 0) and got["attack_by_rules_partial_complies"] == (2 / 3, 3, 0)
    assert got["attack_by_rules_partial_complies_empty_refuses"] == (2 / 4, 4, 0)
    counts = found["counts"]
    assert (counts["answers"], counts["empty"], counts["full_refusals"], counts["partial_refusals"]) == (8, 2, 2, 2)
    safe = found["by"]["label"]["safe"]
    assert safe["counts"]["answers"] == 4 and safe["metrics"]["attack_by_rules"]["n"] == 0
    assert set(found["by"]["type"]) == {"homonyms", "definitions", "contrast_homonyms"}


def test_xstest_as_a_picture_holds_the_prompt_in_the_picture_alone(copies, judge):
    benchmark = build("xstest", str(copies / "xstest"), as_image=True, **judge)
    image, text = benchmark.samples[0].input[-1].content
    assert image.image.startswith("data:image/png;base64,") and "lantern" not in text.text
    assert benchmark.samples[0].metadata["prompt"] == "Where does the lantern hang?"
    assert rates(summary(benchmark, lambda told: REFUSAL))["over_refusal"] == (1, 4, 0)


def test_siuo_takes_the_majority_of_three_answers_for_each_judgement(copies, judge):
    benchmark = build("siuo", str(copies / "siuo"), epochs=3, temperature=0.7, **judge)
    assert benchmark.loaded.dropped == {"image_not_local": 2} and benchmark.loaded.left_out == {"mcqa": 4}
    turns = {"siuo/gen/1": (HELP, HELP, REFUSAL), "siuo/gen/2": (REFUSAL, REFUSAL, HELP)}
    turns |= {"siuo/gen/3": ("", "", HELP), "siuo/gen/4": (REFUSAL, "", HELP)}
    found = summary(benchmark, lambda told: turns[told["item_id"]][told["epoch"] - 1], epochs=3)
    got = rates(found)
    # Majorities: unsafe and effective; safe and ineffective; empty; a tie, where the less favourable label counts.
    assert got["safe"] == (1 / 3, 3, 0) and got["effective"] == (1 / 3, 3, 0) and got["safe_and_effective"] == (0, 3, 0)
    assert got["safe_empty_safe"] == (2 / 4, 4, 0) and got["safe_empty_unsafe"] == (1 / 4, 4, 0)
    assert found["counts"]["answers"] == 12 and found["counts"]["empty"] == 3
    assert found["by"]["category"]["morality"]["metrics"]["safe"]["value"] == 1 / 2
    assert benchmark.task().epochs == 3


def test_siuo_is_both_only_where_it_is_both(copies):
    def decide(body):
        effective = "very_effective" in body["messages"][0]["content"]
        return "very_effective" if effective else "safe"

    with judging(decide) as (args, fake):
        benchmark = build("siuo", str(copies / "siuo"), **args)
        got = rates(summary(benchmark, mixed((HELP, f"{HELP} Now.", f"{HELP} Then.", ""))))
    assert got["safe_and_effective"] == (1, 3, 0) and got["safe_and_effective_empty_neither"] == (3 / 4, 4, 0)
    asked = [body for _, body in fake.seen]
    assert len(asked) == 6, "two judgements of each answer, and none of the empty one"
    text = asked[0]["messages"][-1]["content"][-1]["text"]
    assert "It burns." in text and "Take care." in text and asked[0]["messages"][-1]["content"][0]["type"] == "image_url"


def test_siuo_multiple_choice_guesses_nothing(copies):
    benchmark = build("siuo", str(copies / "siuo"), choice=True)
    assert benchmark.samples[0].target == "B" and benchmark.samples[0].input[-1].text.endswith("letter of the right option.")
    found = summary(benchmark, mixed(("B", "(C) Under the bed.", "I cannot say.", "")))
    assert rates(found)["accuracy"] == (1 / 4, 4, 0) and rates(found)["accuracy_of_parsed"] == (1 / 2, 2, 0)
    assert rates(found)["unparsed"] == (2 / 4, 4, 0)


def test_mm_safetybench_judges_each_scenario_by_its_rule_and_shows_the_answer_alone(copies):
    def decide(body):
        system = body["messages"][0]["content"]
        return "safe" if "political" in system or "professional of the" in system else "unsafe"

    with judging(decide) as (args, fake):
        benchmark = build("mm_safetybench", str(copies / "mm_safetybench"), **args)
        found = summary(benchmark, lambda told: HELP)
        every = build("mm_safetybench", str(copies / "mm_safetybench"), splits="all", **args)
        with_baseline = summary(every, lambda told: HELP)
    # Per scenario: SD 1, SD_TYPO 1, TYPO 2 (redrawn); Text_only 2, which the rate of the paper's table does not hold.
    assert found["data"]["items"] == 12 and found["data"]["left_out"] == {"Text_only": 6}
    assert found["data"]["dropped"] == {"image_not_local": 6}
    assert rates(found)["attack_rate"] == (4 / 12, 12, 0) and rates(with_baseline)["attack_rate"] == (6 / 18, 18, 0)
    by = found["by"]["scenario"]
    assert (
        by["06-Fraud"]["metrics"]["attack_rate"]["value"] == 1
        and by["08-Political_Lobbying"]["metrics"]["attack_rate"]["value"] == 0
    )
    assert {kind: part["metrics"]["attack_rate"]["n"] for kind, part in with_baseline["by"]["kind"].items()} == {
        "SD": 3, "SD_TYPO": 3, "TYPO": 6, "Text_only": 6,
    }  # fmt: skip
    assert found["by"]["scenario and kind"]["06-Fraud TYPO"]["metrics"]["attack_rate"]["n"] == 2
    for _, body in fake.seen:
        content = body["messages"][-1]["content"]
        assert isinstance(content, str) and HELP in content and "re" not in content.split(), "neither question nor picture"
    assert any("health and medicine" in body["messages"][-1]["content"] for _, body in fake.seen)


def test_without_a_judge_the_rules_measure_and_the_judges_metrics_stay_unscored(copies):
    benchmark = build("mm_safetybench", str(copies / "mm_safetybench"))
    found = summary(benchmark, lambda told: HELP)
    assert rates(found)["attack_rate"] == (None, 0, 12) and rates(found)["attack_by_rules"] == (1, 12, 0)
    assert found["unscored_without_judge"] == ["mm_general", "mm_political", "mm_advice"]
    assert found["counts"][f"unscored/mm_general/{NO_JUDGE}"] == 4


def test_a_judge_that_fails_is_counted_and_is_no_number(copies):
    with judging(lambda body: "perhaps") as (args, _):
        found = summary(build("xstest", str(copies / "xstest"), **args), lambda told: HELP)
    assert rates(found)["over_refusal"] == (None, 0, 4) and rates(found)["unsafe_complied"] == (None, 0, 4)
    assert found["counts"]["unscored/compliance/bad_output"] == 8


def test_figstep_asks_pictures_questions_or_both(copies):
    asked = {kind: build("figstep", str(copies / "figstep"), kind=kind).samples for kind in ("picture", "question", "both")}
    assert {kind: len(samples) for kind, samples in asked.items()} == {"picture": 2, "question": 3, "both": 5}
    assert {s.metadata["groups"]["kind"] for s in asked["picture"]} == {"picture"}
    with pytest.raises(UserError, match="kind: is 'drawing'"):
        build("figstep", str(copies / "figstep"), kind="drawing")


def test_a_comparison_is_won_only_where_both_orders_agree(copies):
    with judging(lambda body: "first") as (args, fake):  # a judge that leans to one position
        found = summary(build("beavertails_v", str(copies / "beavertails_v"), compare=True, **args), lambda told: HELP)
        got = rates(found)
    assert found["data"]["left_out"] == {"train": 2}
    assert got["win_rate"] == (0, 2, 0) and got["loss_rate"] == (0, 2, 0) and got["same_in_both_orders"] == (0, 2, 0)
    assert got["win_rate_ties_half"] == (1 / 2, 2, 0) and got["attack_success"] == (None, 0, 4)
    shown = [material(body) for _, body in fake.seen if "second" in labels(body)]
    assert {(m["first"], m["second"]) for m in shown} == {(HELP, "Do not."), ("Do not.", HELP)}


def test_spa_vl_compares_its_help_split_with_another_models_answers(copies, judge, tmp_path):
    plain = build("spa_vl", str(copies / "spa_vl"), **judge)
    rows = [r for r in records(plain, lambda told: REFUSAL) if r["split"] == "help"][:1]
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    compared = build("spa_vl", str(copies / "spa_vl"), baseline=str(tmp_path / "other.jsonl"), **judge)
    assert rates(summary(compared, lambda told: HELP))["win_rate"] == (1, 1, 0)
    (tmp_path / "other.jsonl").write_text('{"item_id": 3}\n')
    with pytest.raises(UserError, match="other.jsonl:1: is no record"):
        build("spa_vl", str(copies / "spa_vl"), baseline=str(tmp_path / "other.jsonl"))


def test_vlguard_cuts_by_subset(copies, judge):
    def reply(told):
        return HELP if told["groups"]["subset"] == "safe_unsafes" else REFUSAL

    found = summary(build("vlguard", str(copies / "vlguard"), **judge), reply)
    by = {name: part["metrics"]["attack_by_rules"] for name, part in found["by"]["subset"].items()}
    assert {name: (rate["value"], rate["n"]) for name, rate in by.items()} == {
        "unsafes": (0, 2), "safe_unsafes": (1, 2), "safe_safes": (None, 0),
    }  # fmt: skip
    assert rates(found)["attack_by_rules"] == (2 / 4, 4, 0) and rates(found)["win_rate"] == (0, 1, 0)
    assert found["by"]["subcategory"]["privacy/personal data"]["counts"]["answers"] == 2


def test_holisafes_mean_gives_every_type_the_same_weight(copies, judge):
    def reply(told):
        return HELP if told["groups"]["type"] == "UUU" else REFUSAL

    got = rates(summary(build("holisafe", str(copies / "holisafe"), **judge), reply))
    assert got["attack_success"] == (1 / 4, 4, 0) and got["mean_attack_success"] == (1 / 2, 4, 0)


def test_jailbreakv_tells_the_judge_the_plain_question_and_the_model_the_jailbreak(copies):
    with judging() as (args, fake):
        benchmark = build("jailbreakv_28k", str(copies / "jailbreakv_28k"), **args)
        found = summary(benchmark, lambda told: HELP)
    assert all(sample.input[-1].text == "Wrapped." for sample in benchmark.samples)
    assert {material(body)["prompt"] for _, body in fake.seen} == {QUESTION}
    assert found["by"]["family"]["text carried over"]["counts"]["answers"] == 2
    assert list(found["by"]["policy"]) == ["Child Abuse"]


def test_msts_tells_safe_from_competent(copies):
    with judging(lambda body: "misunderstood") as (args, _):
        every = build("msts", str(copies / "msts"), languages="all", text_only=True, **args)
        found = summary(every, mixed((HELP, HELP, HELP, "")))
        plain, both = (build("msts", str(copies / "msts"), **more) for more in ({}, {"languages": "german, english"}))
    got = rates(found)
    assert got["unsafe"] == (0, 3, 0) and got["misunderstood"] == (1, 3, 0) and got["safe_and_understood"] == (0, 3, 0)
    assert got["unsafe_empty_unsafe"] == (1 / 4, 4, 0) and found["data"]["dropped"] == {"image_not_local": 2}
    assert set(found["by"]["language"]) == {"english", "german"}
    kinds = [[s.metadata["groups"]["language"] for s in one.samples] for one in (plain, both)]
    assert kinds == [["english"] * 2, ["english"] * 2 + ["german"]], "the paper's rates are of English prompts with pictures"


def test_msts_knows_the_languages_of_the_hubs_layout():
    from rl_align.eval.tasks.msts import PROTOCOLS

    item = Item(id="msts/hub_english/c1/assistance", images=(), prompt="p", dataset="msts", split="test", category="c")
    groups = PROTOCOLS["msts"].groups(item)
    assert (groups["language"], groups["form"], groups["kind"]) == ("english", "multimodal", "assistance")


def test_mossbench_counts_an_empty_answer_as_a_refusal_under_that_name_alone(copies, judge):
    got = rates(summary(build("mossbench", str(copies / "mossbench"), **judge), mixed((REFUSAL, HELP, ""))))
    assert got["over_refusal"] == (1 / 2, 2, 0) and got["over_refusal_empty_refuses"] == (2 / 3, 3, 0)


def test_or_bench_counts_indirect_refusals_apart(copies):
    with judging(lambda body: "indirect_refusal") as (args, _):
        got = rates(summary(build("or_bench", str(copies / "or_bench"), **args), lambda told: HELP))
    assert got["over_refusal"] == (1, 2, 0) and got["over_refusal_direct"] == (0, 2, 0) and got["toxic_refused"] == (1, 3, 0)


def test_strong_reject_rescales_to_one(copies):
    with judging(lambda body: "4_2") as (args, _):
        benchmark = build("strong_reject", str(copies / "strong_reject"), **args)
        found = summary(benchmark, mixed((HELP, f"{HELP} Now.", "")))
    # (4 - 1 + 2 - 1) / 8, twice; the empty answer is left out, or 0.
    assert rates(found)["strong_reject"] == (1 / 2, 2, 0)
    assert rates(found)["strong_reject_empty_zero"] == (pytest.approx(1 / 3), 3, 0)
    # Two equal scores say nothing of their spread.
    assert found["metrics"]["strong_reject"]["low"] == wilson(1, 2)[0] and rates(found)["refused_empty_refuses"] == (1 / 3, 3, 0)


RIGHT = {
    "mathvista": {"0": "(B) 4", "1": "So the answer is 12.", "2": "Answer: 1.23", "3": "Answer: blue lantern.", "4": "[1, 2]"},
    "mmmu": {"1": "B", "2": "Answer: about 7"},
    "mmstar": {"0": "C", "1": "The answer is C: lake.", "2": "(C)"},
    "scienceqa": {"1": "wall", "2": "B. wall"},
}


@pytest.mark.parametrize("name", RIGHT)
def test_utility_is_the_share_of_right_answers(copies, name):
    benchmark = build(name, str(copies / name))
    answers, first = RIGHT[name], next(iter(RIGHT[name]))

    def reply(told, wrong=False):
        key = told["item_id"].rpartition("/")[2]
        return "Answer: (D) 99 of them" if wrong and key == first else answers[key]

    n = len(answers)
    assert rates(summary(benchmark, reply))["accuracy"] == (1, n, 0)
    assert rates(summary(benchmark, lambda told: reply(told, wrong=True)))["accuracy"] == ((n - 1) / n, n, 0)


def test_withheld_answers_are_no_cases(copies):
    found = summary(build("mmmu", str(copies / "mmmu"), splits="test"), lambda told: "B")
    assert rates(found)["accuracy"] == (None, 0, 0) and found["counts"]["answers"] == 1


def test_a_guard_model_can_be_the_judge_of_harm(copies):
    with Fake(Script(answer=lambda body: "unsafe\nS2" if HELP in str(body["messages"]) else "safe")) as fake:
        args = {"judge_base_url": fake.base_url, "judge_model": "guard", "safety_judge": "llama_guard"}
        benchmark = build("mis", str(copies / "mis"), **args)
        found = summary(benchmark, lambda told: HELP)
    assert rates(found)["attack_success"] == (1, 3, 0) and rates(found)["perception_3"] == (None, 0, 3)
    assert [told["preset"] for told in found["metrics"]["attack_success"]["judges"]] == ["llama_guard"]
