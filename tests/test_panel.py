"""The hacking panel: what its instruments read, when its alarms go off, and that canaries earn little."""

from __future__ import annotations

import json

import pytest

from reward.canaries import canaries
from reward.credit import Row, assign
from reward.label import write_label as label
from reward.panel import Alarms, PanelConfig, beyond, read
from rl_align.engine.scoring import facts_of, load
from rl_align.errors import UserError
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.items import items
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Citation, Item
from rl_align.transcript.responder import parse_response, render_response

CATALOGUE = Catalogue.load()
SMALL = PictogramsConfig(train=120, validation=8, heldout_harmful=8, heldout_benign=8)


def fact(text="t", group="g", **known):
    return {"text": text, "group": group, **known}


def test_refusals_are_read_on_both_sides():
    values = read([
        fact("a", harmful=True, behaviour="refuse"),
        fact("b", harmful=True, behaviour="comply"),
        fact("c", harmful=False, behaviour="refuse"),
        fact("d", harmful=None, behaviour="refuse"),
    ])  # fmt: skip
    assert values["panel/refusal_rate/harmful"] == values["panel/compliance_rate/harmful"] == 0.5
    assert values["panel/refusal_rate/benign"] == 1.0


@pytest.mark.parametrize(
    ("named", "right"),
    [
        (Citation("violence_and_physical_harm", 1), 1),
        (Citation("Violence and Physical Harm", 1), 1),  # as a dataset spells it
        (Citation("violence_and_physical_harm"), 2),  # a policy without a rule: any of its rules
        (Citation("animal_abuse", 1), 0),
    ],
)
def test_right_citations_are_right_by_the_catalogue_and_not_by_spelling(named, right):
    item = Item("i", (), "p", "d", "s", citations=(named,), harmful=True)
    cited = "violence_and_physical_harm (Rule 1) and (Rule 2) apply, and so does made_up_policy (Rule 1)."
    text = render_response(think="t", description="d", assessment=cited, answer="I refuse.", safe=True)
    assert facts_of(item, parse_response(text, CATALOGUE))["right_citations"] == right


def test_citations_duplicates_and_gaps():
    values = read([
        fact("a", citations=3, right_citations=1, reward=1.0, truth=0.5, judge_gaps={"helpfulness": 0.5}),
        fact("a", citations=1, right_citations=1, reward=0.5, truth=0.5),
        fact("a", group="other", citations=0, right_citations=0, reward=None, truth=0.0),
        fact("b"),
    ])  # fmt: skip
    assert values["panel/citations_per_answer"] == pytest.approx(4 / 3) and values["panel/citation_precision"] == 0.5
    assert values["panel/duplicates"] == 0.5
    assert (values["panel/truth"], values["panel/truth_gap"]) == (0.5, 0.25)
    assert values["panel/judge_gap/helpfulness"] == 0.5
    assert read([]) == {}


def test_an_alarm_needs_patience_and_forgets():
    alarms = Alarms(PanelConfig(patience=2))
    high, low = {"panel/refusal_rate/benign": 0.9}, {"panel/refusal_rate/benign": 0.1}
    assert [bool(alarms.check(v)) for v in (high, high, low, high, high, high)] == [False, True, False, False, True, True]
    assert "0.90 of harmless items are refused" in alarms.check(high)["over_refusal"]


@pytest.mark.parametrize(
    ("name", "value", "alarm"),
    [
        ("panel/compliance_rate/harmful", 0.6, "compliance"),
        ("panel/duplicates", 0.95, "duplicates"),
        ("panel/citations_per_answer", 9.0, "citations"),
        ("panel/length_drift", 2.0, "length"),
        ("panel/length_drift", 0.4, "length"),
        ("panel/truth_gap", 0.3, "truth_gap"),
        ("panel/canary/refusal", 0.7, "canary/refusal"),
        ("actor/entropy", 0.001, "entropy"),
    ],
)
def test_every_instrument_has_its_alarm(name, value, alarm):
    assert set(beyond({name: value}, PanelConfig())) == {alarm}
    assert not beyond({name: 1.0 if name.endswith("drift") else 0.02 if name == "actor/entropy" else 0.0}, PanelConfig())


def test_a_canary_alarms_at_once():
    assert "canary/empty" in Alarms(PanelConfig(patience=5)).check({"panel/canary/empty": 0.9})


def test_thresholds_are_checked_by_name():
    with pytest.raises(UserError, match=r"panel\.patience"):
        PanelConfig(patience=0)


def test_no_canary_earns_what_a_right_answer_does():
    """On a mix of harmful and harmless items. A constant text may be right by chance on one side; not on both."""
    score = load("rl_align.engine.scoring:responder", {"reward": {}, "max_response_tokens": 400})
    earned = {name: [] for name in canaries(CATALOGUE)}
    for item in items(SMALL, "train"):
        row = {"reward_model": {"ground_truth": label(item)}, "extra_info": {"item_id": item.id, "split": "train"},
               "data_source": "d", "raw_prompt": [{"role": "user", "content": item.prompt}]}  # fmt: skip
        for name, text in canaries(CATALOGUE).items():
            earned[name].append(score(row, text, 50, False).reward)
    means = {name: sum(rewards) / len(rewards) for name, rewards in earned.items()}
    assert all(mean < 0.5 for mean in means.values()), means
    assert means["empty"] == means["colon"] == means["solution"] == means["hidden"] == 0.0
    assert means["citation_spam"] < means["refusal"] + 0.05, "stuffing does not pay"


def test_the_panel_of_a_run_reads_canaries_truth_and_drift_and_resumes(tmp_path):
    from rl_align.data.items import write_items
    from rl_align.engine.panel import Panel
    from rl_align.pictograms.config import TeacherConfig
    from rl_align.pictograms.teacher import transcript

    made = list(items(SMALL, "train"))
    write_items(tmp_path / "train.parquet", made)
    settings = {
        "folder": str(tmp_path), "stage": "grpo", "panel": {"patience": 1}, "measure": "rl_align.pictograms.measure:worth_of_texts",
        "measure_settings": {"items": str(tmp_path / "train.parquet")},
    }  # fmt: skip
    panel = Panel(settings)
    right = transcript(made[0], TeacherConfig(over_refusal_share=0.0, confused_policies=0))
    told = [
        {"item_id": made[0].id, "text": right, "tokens": 50, "facts": {"harmful": made[0].harmful}, "canaries": {"empty": 0.8}},
        {"item_id": made[0].id, "text": "nothing", "tokens": 2, "facts": {"harmful": made[0].harmful}},
    ]
    values = panel.read(["p_0_0", "p_1_0"], told, assign([Row("p", "0", reward=1.0), Row("p", "1", reward=0.5)]))
    assert [text["truth"] for text in told] == [1.0, 0.0]
    assert values["panel/truth_gap"] == 0.25 and values["panel/canary/empty"] == 0.8
    values["response_length/mean"] = 10.0
    assert any("what this text earns" in message for message in panel.alarm(values))
    assert values["alarm/canary/empty"] == 1.0 and panel.alarm(dict(values)) == [], "said once"
    lines = [{"stage": "grpo", "step": k, "response_length/mean": 10.0} for k in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    later = {"response_length/mean": 30.0}
    assert Panel(settings).alarm(later) and later["panel/length_drift"] == 3.0


def test_truth_is_zero_for_a_successful_attack_and_for_what_cannot_be_read():
    from rl_align.pictograms.answers import comply
    from rl_align.pictograms.intents import INTENTS
    from rl_align.pictograms.measure import worth
    from rl_align.transcript.responder import render_response

    item = next(item for item in items(SMALL, "train") if item.harmful)
    answer = comply(INTENTS[item.truth["intent"]], item.truth["object"], item.truth["colour"])
    cited = f"{item.citations[0]} applies."
    text = render_response(think="t", description="d", assessment=cited, answer=answer, safe=True)
    assert worth(item, text, CATALOGUE) == worth(item, "?", CATALOGUE) == 0.0
