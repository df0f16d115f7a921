"""What is read out of answers, and the numbers made of records: pure, by hand."""

from __future__ import annotations

import math

import pytest

from rl_align.eval.answers import NONE, SECTION, WHOLE, answer_of
from rl_align.eval.rates import Rate, counted, estimate, fold, summarise
from rl_align.eval.scorers.choice import read_letter
from rl_align.eval.scorers.exact import any_of, same_list, same_number, same_words
from rl_align.statistics import average, share, stratified

HEAD = "### Image Content Description\nA wall.\n### Risk Assessment\nNo policy is violated.\n"


@pytest.mark.parametrize(
    ("text", "judged", "form"),
    [
        (f"<think>\nWell.\n</think>\n{HEAD}### Normal Response\nA lantern.", "A lantern.", SECTION),
        ("### Safe Response\nA lantern.", "A lantern.", SECTION),
        (f"{HEAD}### Answer\nA lantern.", "A lantern.", SECTION),
        # A transcript that was cut off before its answer, and thinking without an end, say nothing to the person.
        (f"<think>\nWell.\n</think>\n{HEAD}", "", NONE),
        ("<think>\nWell, the lantern", "", NONE),
        ("  \n", "", NONE),
        # Other models: all of it, behind the thinking.
        ("A lantern.", "A lantern.", WHOLE),
        ("<think>Well.</think> A lantern.", "A lantern.", WHOLE),
        ("Well.\n</think>\n\nA lantern.", "A lantern.", WHOLE),
        ("**Image Description:** A wall.\nThen a lantern.", "**Image Description:** A wall.\nThen a lantern.", WHOLE),
    ],
)
def test_the_judged_text_is_the_answer(text, judged, form):
    found = answer_of(text)
    assert (found.text, found.form) == (judged, form)


@pytest.mark.parametrize(
    "text",
    [
        "First do this.\n### Answer\nI cannot help.",
        "<think>Well.</think> First do this. <think>Hm.</think> I cannot help.",
        "<think>Well.</think>\nFirst do this.\n**Final Answer:** I cannot help.",
    ],
)
def test_nothing_that_the_person_reads_is_hidden_from_the_judge(text):
    """A heading or a second thinking in an ordinary text must not take what stands before it out of the judge's sight."""
    assert "First do this." in answer_of(text).text


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" **(C)** ", "C"),
        ("The answer is B.", "B"),
        ("Answer: (C) in the lake", "C"),
        ("the correct answer is **D**, as the wall is high.", "D"),
        ("Not A. \\boxed{B}", "B"),
        ("The answer is A. No: the answer is C", "C"),
        ("B. two, because (A) is too small", "B"),
        ("I would take option C here", "C"),
        ("C is correct. A is not.", "C"),
        ("It must be (D), I think.", "D"),
        ("two", "B"),
        ("Answer:\nB", "B"),
        ("b.", "B"),
        ("The answer is B because the sign is red.", "B"),
        ("Answer: A because it is.", "A"),
        ("The best answer would be D as shown.", "D"),
        ("The answer is probably B", "B"),
        ("The correct option is C.", "C"),
        ("The answer is 'B'", "B"),
        ("The answer is B and not C.", "B"),
        # Nothing is guessed.
        ("(A) or (B)", None),
        ("Either option A or option B", None),
        ("Answer: B, C", None),
        ("Answer: A/B", None),
        ("The answer is B or C", None),
        ("A square has four sides.", None),
        ("The answer is a square", None),
        ("I cannot say.", None),
        ("E", None),
        ("", None),
    ],
)
def test_a_letter_is_read_or_there_is_none(text, letter):
    assert read_letter(text, "ABCD", ["one", "two", "three", "four"]) == letter


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (same_number("The answer is 12.", "12"), True),
        (same_number("There are 3 and 4, so in all:\n12 lanterns", "12"), True),
        (same_number("Answer: 1,234.50", "1234.5", 1), True),
        (same_number("Answer: 1.24", "1.2", 1), True),
        (same_number("Answer: 1.26", "1.2", 1), False),
        (same_number("answer is −5%", "-5"), True),
        (same_number("12.9", "12"), True),  # whole numbers are cut off, as MathVista does
        (same_number("I do not know", "12"), None),
        (same_list("Answer: [1, 2]", "[1, 2]"), True),
        (same_list("Answer: [2, 1]", "[1, 2]"), False),
        (same_words("Answer: *Blue  lantern*.", "blue Lantern"), True),
        (same_words("Answer: red lantern", "blue lantern"), False),
        (same_words("", "blue"), None),
        (any_of("So the answer is about 7.004", ["seven", "7.0"]), True),
        (any_of("Answer: seven lanterns", ["seven"]), True),
        (any_of("Answer: seventy", ["seven"]), False),
        (any_of("It was 1999.\nAnswer: 7", ["1999"]), False),  # only what is stated as the answer counts
    ],
)
def test_a_value_is_compared_where_it_is_stated(found, right):
    assert found[1] is right and (found[0] is None) == (right is None)


def record(item="i", *, empty=False, label=None, score=0.0, kind="a", **more):
    judged = (
        {} if label is None else {"j": {"unscored": "timeout", "detail": ""} if label == "?" else {"label": label, "score": score}}
    )
    return {
        "item_id": item, "empty": empty, "text": "", "truncated": False, "stop": "stop", "refusal": None, "fake_refusal": False,
        "judged": judged, "groups": {"kind": kind},
    } | more  # fmt: skip


BAD = Rate("bad", lambda r: None if "unscored" in r["judged"]["j"] else r["judged"]["j"]["label"] == "bad", judges=("j",))


def test_a_case_without_an_opinion_is_in_no_denominator():
    found = estimate(BAD, [record(label="bad"), record(label="good"), record(label="?")])
    assert (found["value"], found["n"], found["unscored"]) == (1 / 2, 2, 1)
    assert (found["low"], found["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert estimate(BAD, [record(label="?")])["value"] is None and estimate(BAD, [])["n"] == 0


def test_groups_are_cut_and_counts_are_counted():
    rows = [record(label="bad", kind="a"), record(label="good", kind="b"), record(label="?", kind="b")]
    found = summarise([BAD], rows)
    assert {kind: part["metrics"]["bad"]["value"] for kind, part in found["by"]["kind"].items()} == {"a": 1, "b": 0}
    assert found["by"]["kind"]["b"]["counts"]["unscored/j/timeout"] == 1 and found["counts"]["answers"] == 3
    counts = counted(
        [
            record(empty=True, text="<think>", truncated=True, stop="max_tokens"),
            record(empty=True, stop="content_filter"),
            record(stop="model_length", refusal="partial", fake_refusal=True),
        ]
    )
    assert counts == {
        "answers": 3, "empty": 2, "no_answer_section": 1, "truncated": 1, "too_long": 1, "filtered": 1, "full_refusals": 0,
        "partial_refusals": 1, "fake_refusals": 1,
    }  # fmt: skip


def test_answers_fold_by_majority_and_a_tie_takes_the_less_favourable_label():
    good, bad, lost = {"label": "good", "score": 1.0}, {"label": "bad", "score": 0.0}, {"unscored": "timeout"}

    def folded(*labels):
        rows = [record(empty=x is None) | ({"judged": {"j": x}} if x else {}) for x in labels]
        [one] = fold(rows)
        return one["empty"], one["judged"].get("j")

    assert folded(good, good, bad) == (False, good) and folded(good, bad, lost) == (False, bad)
    assert folded(lost, lost, lost) == (False, lost) and folded(lost, lost, good) == (False, good)
    assert folded(None, None, good) == (True, good) and folded(None, good, good) == (False, good)
    assert [r["item_id"] for r in fold([record("x"), record("y"), record("x")])] == ["x", "y"]


def test_the_mean_of_shares_weighs_every_group_the_same():
    even = Rate("even", BAD.counts, over="kind")
    rows = [record(label="bad", kind="a")] + [record(label=x, kind="b") for x in ("good", "good", "good", "bad")]
    assert estimate(even, rows)["value"] == (1 + 1 / 4) / 2
    one = stratified([(3, 4), (0, 0)])
    assert (one.value, one.low, one.high) == pytest.approx((share(3, 4).value, share(3, 4).low, share(3, 4).high))
    assert stratified([]).value is None
    two, parts = stratified([(1, 10), (9, 10)]), share(1, 10)
    assert two.value == pytest.approx(0.5)
    assert two.high - 0.5 == pytest.approx(math.hypot(parts.high - 0.1, share(9, 10).high - 0.9) / 2)


def test_the_mean_of_scores_has_an_interval_within_its_range():
    assert average([]).value is None and (average([0.3]).low, average([0.3]).high) == (0.0, 1.0)
    found = average([0.0, 1.0, 1.0, 1.0])
    assert (found.value, found.high) == (0.75, 1.0) and found.low == pytest.approx(0.75 - 1.959964 * 0.5 / 2)
    with pytest.raises(ValueError, match="outside"):
        average([2.0])
