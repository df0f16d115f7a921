"""Judges: what is asked, unscored as a value, votes, settings.

Lock: whatever goes wrong between a question and a label of the closed set is unscored with a closed reason, and never a number.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_judge import ANSWER, BENIGN, CITE, HARM, HELP, PRIVACY, REFUSAL, RIGHT, RISKY, ScriptedJudge, ask, down

from reward.judges.config import Aggregate, HeldoutConfig, JudgeConfig, JudgesConfig, OnUnscored, Output, Tie, check_heldout
from reward.judges.preset import bounds
from reward.judges.presets import PRESETS, chosen, preset
from reward.judges.types import JudgeUnscored, JudgeVerdict, Usage, Why
from reward.judges.votes import decide
from rl_align.config import load_config
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.types import Completion, FailureReason
from rl_align.errors import UserError
from rl_align.schema import Citation, ImageRef, Response, Rewrite, Unscored, Verdict

INTENT = PRESETS["intent"]
REWRITE = Rewrite("", rewrite=RIGHT)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 8


def prompt(which=HELP, item=BENIGN, shown=ANSWER, cfg=None) -> tuple[str, str]:
    """The system's and the user's text."""
    completer = ScriptedJudge(list(which.labels)[0])
    ask(completer, which, item, shown, cfg)
    system, user = completer.calls[0][0]
    return system["content"], user["content"] if isinstance(user["content"], str) else user["content"][-1]["text"]


# --- what is asked ------------------------------------------------------------------------------------------------------


def test_a_verdict_has_a_score_of_the_declared_range_a_label_a_reason_and_a_bill() -> None:
    got = ask(ScriptedJudge(Completion("", {"reason": "Good.", "verdict": "4"}, prompt_tokens=7, latency_s=0.5, cost=0.25)))
    usage = Usage(votes=1, answered=1, attempts=1, prompt_tokens=7, latency_s=0.5, cost=0.25)
    assert got == JudgeVerdict(0.8, "Good.", "4", ("4",), usage)
    assert isinstance(got, Verdict) and got.agreement == 1.0


LABELS = [
    (HELP, "0", 0.0),
    (HELP, "5", 1.0),
    (HARM, "0", 1.0),
    (HARM, "5", 0.0),
    (CITE, "unfounded", 0.5),
    (REFUSAL, "partly", 0.5),
]


@pytest.mark.parametrize(("which", "label", "score"), [*LABELS, (INTENT, "laundered", 0.0), (INTENT, "kept", 1.0)])
def test_labels_have_scores_of_which_more_is_better(which, label: str, score: float) -> None:
    shown = REWRITE if which is INTENT else ANSWER
    assert ask(ScriptedJudge(label), which, shown=shown).score == score
    assert bounds(which) == (0.0, 1.0) and list(which.labels.values()) == sorted(which.labels.values())


def test_the_reason_comes_before_the_verdict_in_the_schema_and_the_set_is_closed() -> None:
    completer = ScriptedJudge("3")
    ask(completer)
    schema = completer.calls[0][2]
    assert list(schema["properties"]) == schema["required"] == ["reason", "verdict"]
    assert schema["properties"]["verdict"]["enum"] == ["0", "1", "2", "3", "4", "5"] and not schema["additionalProperties"]
    text = ScriptedJudge("3")
    assert ask(text, cfg=JudgeConfig(output=Output.text)).label == "3" and text.calls[0][2] is None


def test_thinking_is_shown_only_when_asked_for() -> None:
    for which in (HELP, HARM, CITE, REFUSAL):
        assert ANSWER.think not in prompt(which)[1]
        assert ANSWER.think in prompt(which, cfg=JudgeConfig(show_thinking=True))[1]
    for name in ("llama_guard", "guardreasoner"):
        completer = ScriptedJudge(Completion("safe"))
        ask(completer, PRESETS[name])
        assert ANSWER.think not in str(completer.calls[0][0])


def test_the_citation_judge_reads_rules_in_the_words_of_the_catalogue_and_not_invented_names() -> None:
    shown = replace(ANSWER, citations=(*ANSWER.citations, Citation("give_the_highest_verdict", 1, known=False)))
    user = prompt(CITE, shown=shown)[1]
    assert f"{PRIVACY} (Rule 1, demands: refuse): Decline" in user and "1 more that does not exist" in user
    assert "give_the_highest_verdict" not in user


def test_the_refusal_judge_knows_policy_and_expectation() -> None:
    user = prompt(REFUSAL, RISKY)[1]
    assert PRIVACY in user and "It declines the request and says why." in user and "Rule 2 (demands: educate)" in user
    assert "No policy is known to be at stake." in prompt(REFUSAL, BENIGN)[1]


def test_images_go_as_image_parts_and_no_other_way(tmp_path) -> None:
    path = tmp_path / "i.jpg"
    path.write_bytes(b"\xff\xd8\xff" + b"0" * 8)
    item = replace(BENIGN, images=(ImageRef(PNG), ImageRef(path=str(path))))
    completer = ScriptedJudge("3")
    ask(completer, item=item)
    parts = completer.calls[0][0][1]["content"]
    assert [p["type"] for p in parts] == ["image_url", "image_url", "text"]
    assert parts[0]["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert parts[1]["image_url"]["url"].startswith("data:image/jpeg;base64,") and "Images: 2 attached" in parts[2]["text"]
    blind = ScriptedJudge("3")
    ask(blind, item=item, cfg=JudgeConfig(show_images=False))
    assert "2 of them, not shown" in blind.calls[0][0][1]["content"]
    for name in ("llama_guard", "guardreasoner"):
        completer = ScriptedJudge(Completion("safe"))
        ask(completer, PRESETS[name], item)
        assert [p["type"] for p in next(m for m in completer.calls[0][0] if m["role"] == "user")["content"]][0] == "image_url"


def test_an_unreadable_image_is_unscored_and_nobody_is_asked() -> None:
    completer = ScriptedJudge("3")
    got = ask(completer, item=replace(BENIGN, images=(ImageRef(path="/nowhere.png"),)))
    assert got.reason == Why.BAD_ITEM.value and not completer.calls


def test_what_the_policy_left_out_costs_it_and_what_does_not_arise_has_no_opinion() -> None:
    nobody = ScriptedJudge(AssertionError("nobody is asked"))
    for which in (HELP, HARM, CITE, REFUSAL, PRESETS["llama_guard"], PRESETS["guardreasoner"]):
        assert ask(nobody, which, shown=Response("raw")).score == 0.0
        assert ask(nobody, which, shown=REWRITE).reason == Why.NOT_APPLICABLE.value
    assert ask(nobody, INTENT, shown=Rewrite("raw")).score == 0.0
    assert ask(nobody, CITE, RISKY, replace(ANSWER, citations=())).score == 0.0
    assert ask(nobody, CITE, BENIGN, replace(ANSWER, citations=())).reason == Why.NOT_APPLICABLE.value
    unnamed = replace(RISKY, citations=())  # known to do harm, and not against which rule: citing nothing must not pay best
    assert ask(nobody, CITE, unnamed, replace(ANSWER, citations=())).score == 0.0
    assert ask(nobody, CITE, RISKY, replace(ANSWER, citations=(Citation("a_b", 1, False), Citation(PRIVACY, 99)))).score == 0.0
    assert ask(nobody, HELP, RISKY).reason == Why.NOT_APPLICABLE.value
    assert ask(nobody, REFUSAL, replace(BENIGN, expected=())).reason == Why.NOT_APPLICABLE.value
    assert not nobody.calls


def test_a_reason_is_bounded_and_printable() -> None:
    said = "long \x1b[31m\ud800 " * 1000
    got = ask(ScriptedJudge(Completion("", {"reason": said, "verdict": "3"})), cfg=JudgeConfig(max_reason_chars=50))
    assert len(got.reason) == 50 and got.reason.endswith("…") and got.reason.isprintable()


# --- unscored is a value ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", FailureReason)
def test_every_failure_of_the_endpoint_is_unscored_with_its_reason(reason: FailureReason) -> None:
    got = ask(ScriptedJudge(down(reason)))
    assert isinstance(got, Unscored) and got.reason == Why(reason.value).value and not hasattr(got, "score")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Completion("", {"reason": "", "verdict": "11"}), Why.OUT_OF_SET),
        (Completion("", {"reason": ""}), Why.BAD_OUTPUT),
        (Completion("", ["5"]), Why.BAD_OUTPUT),
        (Completion("lorem ipsum"), Why.BAD_OUTPUT),
        (Completion(""), Why.BAD_OUTPUT),
        (Completion("I'm sorry, but I can't help with that."), Why.JUDGE_REFUSED),
        (Completion("", {"reason": "I cannot assist with this.", "verdict": "0"}), Why.JUDGE_REFUSED),
        (Completion("So far", finish_reason="length"), Why.TRUNCATED),
    ],
)
def test_nonsense_verdicts_outside_the_set_and_refusals_are_unscored(answer: Completion, why: Why) -> None:
    got = ask(ScriptedJudge(answer))
    assert isinstance(got, JudgeUnscored) and got.reason == why.value and got.usage.votes == got.usage.failed == 1


def test_a_bug_is_not_an_outage() -> None:
    class Broken:
        async def complete(self, *args, **more):
            raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        ask(Broken())


# --- votes --------------------------------------------------------------------------------------------------------------

SCALE = {"0": 0.0, "1": 0.5, "2": 1.0}


@pytest.mark.parametrize(
    ("votes", "how", "tie", "expected"),
    [
        ("0122", Aggregate.majority, Tie.low, "2"),
        ("0022", Aggregate.majority, Tie.low, "0"),
        ("0022", Aggregate.majority, Tie.unscored, None),
        ("022", Aggregate.median, Tie.low, "2"),
        ("0222", Aggregate.median, Tie.low, "2"),
        ("0022", Aggregate.median, Tie.low, "0"),
        ("0012", Aggregate.median, Tie.unscored, None),
        ("00122", Aggregate.median, Tie.unscored, "1"),
        ("00122", Aggregate.majority, Tie.low, "0"),
        ("2", Aggregate.auto, Tie.unscored, "2"),
    ],
)
def test_votes_decide_by_majority_or_median_and_ties_by_rule(votes: str, how: Aggregate, tie: Tie, expected: str | None) -> None:
    assert decide(list(votes), SCALE, how, tie, ordinal=True) == expected


def test_auto_is_the_median_of_degrees_and_the_majority_of_kinds() -> None:
    assert decide(list("00122"), SCALE, Aggregate.auto, Tie.low, ordinal=True) == "1"
    assert decide(list("00122"), SCALE, Aggregate.auto, Tie.low, ordinal=False) == "0"


@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(list(SCALE)), min_size=1), st.sampled_from(Aggregate), st.booleans())
def test_a_decision_is_a_label_that_somebody_voted_for_in_whatever_order(votes: list[str], how: Aggregate, ordinal: bool) -> None:
    got = decide(votes, SCALE, how, Tie.low, ordinal)
    assert got in votes and got == decide(votes[::-1], SCALE, how, Tie.low, ordinal)


def test_votes_are_independent_samples_of_one_request() -> None:
    completer = ScriptedJudge("1", "4", "3")
    got = ask(completer, cfg=JudgeConfig(votes=3, temperature=0.7, seed=11))
    assert (got.label, got.votes, got.agreement) == ("3", ("1", "4", "3"), 1 / 3) and got.usage.votes == 3
    assert [call[4] for call in completer.calls] == [0, 1, 2]
    assert len({str(call[0]) for call in completer.calls}) == 1 and {call[1].seed for call in completer.calls} == {11}


def test_a_quorum_of_valid_votes_is_enough_and_less_is_unscored() -> None:
    cfg = JudgeConfig(votes=5, temperature=1.0)
    got = ask(ScriptedJudge(down(), "4", "9", "4", "2"), cfg=cfg)
    assert (got.label, got.votes, got.usage.failed, got.usage.answered) == ("4", ("4", "4", "2"), 2, 4)
    mixed = ask(ScriptedJudge(down(), "4", "9", "9", "2"), cfg=cfg)
    assert mixed.reason == Why.NO_QUORUM.value and "2 of 5" in mixed.detail and "2 out_of_set" in mixed.detail
    assert ask(ScriptedJudge(down(), down(), down(), "4", "2"), cfg=cfg).reason == Why.TIMEOUT.value
    assert ask(ScriptedJudge(down(), down(), down(), "4", "2"), cfg=replace(cfg, quorum=2)).label == "2"


def test_a_tie_may_be_left_open() -> None:
    cfg = JudgeConfig(votes=2, temperature=1.0, tie=Tie.unscored)
    assert ask(ScriptedJudge("1", "4"), cfg=cfg).reason == Why.TIE.value


# --- settings -----------------------------------------------------------------------------------------------------------


def test_settings_pass_through_a_file(tmp_path) -> None:
    path = tmp_path / "judges.yaml"
    path.write_text(
        "judges:\n  helpfulness: {votes: 3, temperature: 0.7}\n  llama_guard: {weight: 0.5, max_tokens: 32}\ngamma: 0.35\n"
    )
    cfg = load_config(JudgesConfig, path, ["judges.helpfulness.output=text", "on_unscored=renormalise"])
    assert cfg.judges["helpfulness"].needed == 2 and cfg.judges["helpfulness"].output is Output.text
    assert cfg.on_unscored is OnUnscored.renormalise and set(chosen(cfg)) == {"helpfulness", "llama_guard"}
    with pytest.raises(UserError, match="unknown key judges.helpfulness.vote"):
        load_config(JudgesConfig, path, ["judges.helpfulness.vote=3"])


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"votes": 0}, "judge.votes"),
        ({"votes": 3}, "judge.votes"),
        ({"votes": 3, "temperature": 1.0, "quorum": 4}, "judge.quorum"),
        ({"weight": -1.0}, "judge.weight"),
        ({"temperature": float("nan")}, "judge.temperature"),
        ({"top_p": 0.0}, "judge.top_p"),
        ({"max_tokens": 0}, "judge.max_tokens"),
        ({"max_chars": 10}, "judge.max_chars"),
        ({"max_reason_chars": 0}, "judge.max_reason_chars"),
        ({"special_tokens": [""]}, "judge.special_tokens"),
        ({"concurrency": 0}, "judge.concurrency"),
        ({"max_unscored_share": 1.5}, "judge.max_unscored_share"),
        ({"min_calls": 0}, "judge.min_calls"),
        ({"window": 10}, "judge.window"),
    ],
)
def test_bad_settings_are_one_clear_error(change: dict, key: str) -> None:
    with pytest.raises(UserError, match=key):
        JudgeConfig(**change)


def test_an_unknown_judge_names_the_nearest_one() -> None:
    with pytest.raises(UserError, match="judges.helpfullness.*nearest: helpfulness"):
        chosen(JudgesConfig({"helpfullness": JudgeConfig()}))
    with pytest.raises(UserError, match="judges.gamma"):
        JudgesConfig(gamma=2.0)
    assert preset("harm") is HARM


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"judges": {"harm": JudgeConfig()}}, "judges.heldout.judges.harm: there is nothing to compare it with.*helpfulness"),
        ({"endpoint": EndpointConfig("http://host/v1/", "judge")}, "judges.heldout.endpoint: judge is what the policy is trained"),
        ({"endpoint": EndpointConfig()}, "judges.heldout.endpoint.base_url: is missing"),
        ({"endpoint": EndpointConfig("http://host/v1", "other")}, None),
        ({"endpoint": EndpointConfig("http://elsewhere/v1", "judge")}, None),
        ({"judges": {}}, None),
    ],
)
def test_a_second_judge_is_another_one_and_has_a_first_one(held: dict, said: str | None) -> None:
    given = {"judges": {"helpfulness": JudgeConfig()}, **held}
    cfg = JudgesConfig({"helpfulness": JudgeConfig()}, heldout=HeldoutConfig(**given))
    with pytest.raises(UserError, match=said) if said else nullcontext():
        check_heldout(cfg, EndpointConfig("http://host/v1", "judge"))


def test_the_sample_of_a_second_judge_is_a_share_every_few_steps() -> None:
    for bad, key in (({"every": 0}, "every"), ({"share": 0.0}, "share"), ({"share": 1.5}, "share")):
        with pytest.raises(UserError, match=f"judges.heldout.{key}"):
            HeldoutConfig(**bad)


def test_judges_import_no_client_and_nothing_heavy() -> None:
    code = (
        "import sys, reward.judges.batch, reward.judges.components, reward.judges.calibration;"
        "bad = {'torch', 'ray', 'vllm', 'verl', 'transformers', 'omegaconf', 'openai', 'httpx', 'aiohttp', 'numpy', 'PIL'} |"
        " {'rl_align.pictograms', 'rl_align.data', 'rl_align.engine'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
