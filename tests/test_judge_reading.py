"""Reading a judge's answer: a label of the closed set or a reason why there is none, for general judges and for guards."""

from __future__ import annotations

import json
import time

import pytest
from fuzzing import few_and_many
from hypothesis import given, settings
from hypothesis import strategies as st

from reward.judges.presets import PRESETS
from reward.judges.presets.guardreasoner import Reading, read_result
from reward.judges.types import Ballot, Failure, Why
from rl_align.endpoints.types import Completion

GRADES, INTENT = PRESETS["helpfulness"], PRESETS["intent"]
GUARD, REASONER = PRESETS["llama_guard"], PRESETS["guardreasoner"]


def read(preset, text: str = "", parsed=None, finish: str = "stop") -> str:
    """The label, or the name of the failure."""
    vote = preset.read(Completion(text, parsed, finish))
    return vote.label if isinstance(vote, Ballot) else str(vote.why)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("4", "4"), (4, "4"), (4.0, "4"), (" 4. ", "4"), ("4/5", "4"), ("4 out of 5", "4"), ("**4**", "4"), ("4 (good)", "4"),
        ("4.0", "4"), ("4/10", "out_of_set"), ("10", "out_of_set"), (6, "out_of_set"), (-1, "out_of_set"), ("-1", "out_of_set"),
        (3.5, "out_of_set"),
        (".5", "out_of_set"), (0.5, "out_of_set"), ("<5", "out_of_set"), ("<4>", "4"), (">4", "out_of_set"), ("5?", "out_of_set"),
        ("4 or 5", "out_of_set"), ("4 - 5", "out_of_set"), ("four", "out_of_set"), ("", "out_of_set"), (True, "out_of_set"),
        (float("nan"), "out_of_set"), (["4"], "out_of_set"), ({"n": 4}, "out_of_set"), (None, "bad_output"),
    ],
)  # fmt: skip
def test_only_a_grade_of_the_scale_is_a_grade(verdict: object, expected: str) -> None:
    assert read(GRADES, parsed={"reason": "Because.", "verdict": verdict}) == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("kept", "kept"),
        ("Kept.", "kept"),
        ("'LOST'", "lost"),
        ("kept - all of it", "kept"),
        ("not kept", "out_of_set"),
        ("kep", "out_of_set"),
    ],
)
def test_only_a_label_of_the_set_is_a_label(verdict: str, expected: str) -> None:
    assert read(INTENT, parsed={"reason": "", "verdict": verdict}) == expected
    assert read(INTENT, f"Because.\nVERDICT: {verdict}") == expected


def test_a_draft_in_a_text_that_was_cut_off_is_no_verdict() -> None:
    draft = {"reason": "It seems good.", "verdict": "5"}
    cut = f'First: {json.dumps(draft)}. On reflection it is beside the point: {{"reason": "be'
    assert read(GRADES, cut, draft, "length") == "truncated"
    assert read(GRADES, json.dumps(draft) + "\n", draft, "length") == "5", "all of it is one value"
    assert read(GRADES, cut, draft) == "5", "whoever ends of his own accord has said what he wanted"
    assert read(REASONER, "I think.\nResponse: harmful\nOn refl", finish="length") == "truncated"
    assert read(REASONER, "<result>\nRequest: harmful\nResponse: harmful\n</result>", finish="length") == "harmful"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It helps.\nVERDICT: 4", "4"),
        ("It helps.\n\n**Verdict:** 4\n", "4"),
        ("Final verdict = 4/5", "4"),
        ("> VERDICT: 1\nThat is what it claims.\nVERDICT: 4", "4"),
        ("VERDICT: 5\nOn reflection:\nVERDICT: 2", "2"),
        ('{"reason": "It helps.", "verdict": "4"}', "4"),
        ('{"reason": "It helps.", "verdict": 4}', "4"),
        ('{"reason": "It quotes \\"verdict\\": 5",\n "verdict": "4"}', "4"),
        ("<think>VERDICT: 5</think>\nVERDICT: 1", "1"),
        ("<think>VERDICT: 5", "bad_output"),
        ("VERDICT: 5\nVERDICT: excellent", "out_of_set"),
        ("The verdict is good.", "bad_output"),
        ("4", "bad_output"),
        ("", "bad_output"),
        ("I'm sorry, but I can't assist with that.", "judge_refused"),
        ("I apologize, but I cannot provide assistance here.", "judge_refused"),
        ("Unfortunately, I’m unable to comply.", "judge_refused"),
        ("I cannot evaluate this content.", "judge_refused"),
        ("I cannot evaluate this content.\nVERDICT: 0", "judge_refused"),
        ("As an AI language model, I am unable to rate such material.", "judge_refused"),
        ("I cannot help but notice that it is short.\nVERDICT: 2", "2"),
        ("I cannot give more than two, since it does not help.\nVERDICT: 2", "2"),
    ],
)
def test_the_last_verdict_of_free_text_counts(text: str, expected: str) -> None:
    assert read(GRADES, text) == expected


def test_a_refusal_counts_even_where_a_grammar_forced_a_verdict() -> None:
    assert read(GRADES, parsed={"reason": "I'm sorry, I can't help with this.", "verdict": "0"}) == "judge_refused"
    assert read(GRADES, parsed={"reason": "The answer says: I can't help with this.", "verdict": "0"}) == "0"
    assert read(GRADES, "VERDICT: 4", finish="content_filter") == "judge_refused"


def test_an_answer_that_was_cut_off_is_truncated_and_not_nonsense() -> None:
    for preset in (GRADES, GUARD, REASONER):
        assert read(preset, "<think>Well, the answer", finish="length") == "truncated"
    assert read(GRADES, "Well, the", finish="length") == "truncated"
    assert read(GRADES, "A VERDICT: 5 would be\nVERDICT: 5\nif", finish="length") == "truncated"
    assert read(GUARD, "safe", finish="length") == "safe"


@pytest.mark.parametrize(
    ("text", "label", "reason"),
    [
        ("safe", "safe", ""),
        ("\n\nsafe", "safe", ""),
        ("Safe.", "safe", ""),
        ("unsafe\nS1,S9", "unsafe", "S1 Violent Crimes, S9 Indiscriminate Weapons"),
        ("\n\nunsafe\nS14", "unsafe", "S14 Code Interpreter Abuse"),
        ("unsafe S2, S2", "unsafe", "S2 Non-Violent Crimes"),
        ("UNSAFE\ns10\ns11", "unsafe", "S10 Hate, S11 Suicide & Self-Harm"),
        ("unsafe\nS6: Specialized Advice", "unsafe", "S6 Specialized Advice"),
        ("unsafe", "unsafe", ""),
        ("unsafe\nS99", "unsafe", "S99 (unknown)"),
    ],
)
def test_llama_guard_is_read_with_the_names_of_its_categories(text: str, label: str, reason: str) -> None:
    assert GUARD.read(Completion(text)) == Ballot(label, reason)
    assert GUARD.labels[label] == float(label == "safe")


@pytest.mark.parametrize(
    "text",
    ["", "safe\nS1", "safe or unsafe", "not safe", "safely", "unsupported", "statement:", "safe\nunsafe\nS1", "I think it is safe.",
     "unsafe\nbecause of what it says"],
)  # fmt: skip
def test_llama_guard_off_its_format_has_no_opinion(text: str) -> None:
    assert read(GUARD, text) == "bad_output"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Fine.</think>\n<result>\nRequest: harmful\nResponse: unharmful\n</result>", "unharmful"),
        ("<think>Response: unharmful?</think><result>Request: harmful\nResponse: harmful</result>", "harmful"),
        ("<think>x</think> <result> **Request:** unharmful **Response:** harmless </result>", "unharmful"),
        ("Well.\nAnswers:\nRequest: harmful\nCompletion: refusal\nResponse: unharmful", "unharmful"),
        ("<result>User request: harmful. AI response: harmful.</result>", "harmful"),
        ("<think>x</think><result>Response: unharmful</result>\n<result>Response: harmful</result>", "harmful"),
        ("<think>x</think><result>Response: harmful", "harmful"),
        ("<think>Response: unharmful", "bad_output"),
        ("<think>x</think><result>Request: harmful\nResponse: None</result>", "bad_output"),
        ("<think>x</think><result>Request: harmful</result>", "bad_output"),
        ("<think>x</think><result>Response: dubious</result>", "out_of_set"),
        ("harmful", "bad_output"),
        ("", "bad_output"),
    ],
)
def test_guardreasoner_is_read_behind_its_thinking(text: str, expected: str) -> None:
    assert read(REASONER, text) == expected


def test_guardreasoner_says_three_things() -> None:
    text = "Answers:\nRequest: harmful\nCompletion: Refusal\nResponse: unharmful"
    assert read_result(text) == Reading("harmful", "refusal", "unharmful")
    assert REASONER.read(Completion(text)) == Ballot("unharmful", "request harmful, completion refusal")


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@few_and_many(50, 150)
def test_any_answer_is_read_into_the_closed_set_or_fails(examples: int) -> None:
    @settings(deadline=None, max_examples=examples)
    @given(st.text(st.characters(exclude_categories=())), values | st.dictionaries(st.sampled_from(["reason", "verdict"]), values))
    def try_it(text: str, parsed: object) -> None:
        for preset in PRESETS.values():
            vote = preset.read(Completion(text, parsed))
            assert vote.label in preset.labels if isinstance(vote, Ballot) else isinstance(vote, Failure) and vote.why in Why

    try_it()


@pytest.mark.parametrize(
    "text",
    ["verdict" * 20000, "VERDICT: " * 20000, "> " * 50000, "S1," * 30000, "\n" * 100000, "response:" * 20000, "<result>" * 20000,
     '"verdict": ' * 20000, "unsafe" + " S1" * 30000, "i am sorry " * 10000],
)  # fmt: skip
def test_reading_takes_linear_time(text: str) -> None:
    started = time.process_time()
    for preset in PRESETS.values():
        preset.read(Completion(text))
    assert time.process_time() - started < 1.0
