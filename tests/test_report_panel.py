"""The hacking panel in the summary, on the console and on the page."""

from __future__ import annotations

import json
import re

import pytest

from reward.instruments import Worse, instrument_of
from reward.panel import PanelConfig, beyond, read
from rl_align.errors import UserError
from rl_align.report.console import console_table
from rl_align.report.html import write_html
from rl_align.report.panel import course, in_words, thresholds
from rl_align.report.summary import build_summary
from rl_align.runfiles.atomic import write_json


def write_run(folder, rows, config="panel: {}"):
    """A run folder of these rows with its summary and its page: (summary, page)."""
    folder.mkdir(exist_ok=True)
    lines = (json.dumps({"stage": "grpo", "step": step, **row}) for step, row in enumerate(rows, start=1))
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines))
    if config is not None:
        (folder / "config.yaml").write_text(config)
    summary = build_summary(folder, seed=0, timing_s={})
    write_json(folder / "summary.json", summary)
    return json.loads((folder / "summary.json").read_text()), write_html(folder).read_text()


def cells(page, name):
    """The cells of the table row of this name, without tags."""
    row = next(r for r in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if f"<td>{name}<" in r)
    return [re.sub(r"<small.*?</small>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def test_an_alarm_is_shown_with_its_steps_and_its_threshold(tmp_path):
    rows = [{"panel/duplicates": 0.1 * k} for k in range(10)]
    for k in (2, 3, 4, 8):
        rows[k]["alarm/duplicates"] = 1.0
    summary, page = write_run(tmp_path / "run", rows, "seed: 3\npanel:\n  duplicates: 0.85\n")
    assert summary["alarms"] == {"grpo": {"duplicates": [[3, 5], [9, 9]]}}
    told = summary["panel"]["grpo"]["instruments"]["panel/duplicates"]
    assert told["raised"] == [[3, 5], [9, 9]] and told["threshold"] == 0.85 and told["alarm"] == "duplicates"
    assert "alarms: grpo duplicates (steps 3–5, 9)" in console_table(summary)
    assert "Alarm in grpo, steps 3–5, 9: duplicates. Share of texts that a sibling" in page
    assert cells(page, "panel/duplicates") == ["panel/duplicates", "0", "0.9", "0.9", "0.85 or more", "steps 3–5, 9"]
    assert "No alarm was raised" not in page


def test_a_run_without_alarms_says_so(tmp_path):
    summary, page = write_run(tmp_path / "run", [{"panel/duplicates": 0.2}] * 7 + [{"loss/train": 1.0}])
    assert summary["alarms"] == {} and summary["panel"]["grpo"]["steps"] == 7
    assert "No alarm was raised in 7 steps." in page and 'class="alarm"' not in page
    assert "alarms: none in 7 steps" in console_table(summary)


def test_a_run_without_a_panel_has_no_section(tmp_path):
    """An alarm of the engine itself is shown all the same."""
    summary, page = write_run(tmp_path / "run", [{"actor/entropy": 0.1, "reward/total": 0.5}] * 3)
    assert "panel" not in summary and summary["alarms"] == {}
    assert "Hacking panel" not in page and "alarms" not in console_table(summary)
    summary, page = write_run(tmp_path / "run", [{"loss/train": 1.0}, {"alarm/not_finite": 2}])
    assert "panel" not in summary and "Hacking panel" not in page
    assert "Alarm in grpo, step 2: not_finite. A loss, a gradient" in page
    assert "alarms: grpo not_finite (step 2)" in console_table(summary)


@pytest.mark.parametrize(
    ("metric", "values", "worst"),
    [
        ("panel/refusal_rate/benign", [0.1, 0.6, 0.2], 0.6),
        ("panel/refusal_rate/harmful", [0.9, 0.3, 0.5], 0.3),
        ("panel/citation_precision", [0.9, 0.2, 0.5], 0.2),
        ("panel/length_drift", [1.5, 0.5, 1.8], 0.5),
        ("panel/length_drift", [1.0, 0.9, 1.2], 1.2),
        ("panel/judge_gap/refusal", [0.1, -0.3, 0.2], -0.3),
        ("panel/truth_gap", [-0.3, 0.1, 0.2], 0.2),
        ("judge/refusal/unscored_share", [0.0, 0.1, 0.05], 0.1),
        ("actor/entropy", [0.3, 0.01, 0.2], 0.01),
    ],
)
def test_the_worst_value_is_the_worst_in_the_instruments_own_direction(metric, values, worst):
    steps = [{"step": k, metric: value, "panel/truth": 0.5} for k, value in enumerate(values, start=1)]
    told = course(steps, PanelConfig())["instruments"][metric]
    assert (told["first"], told["last"], told["worst"]) == (values[0], values[-1], worst)
    assert told["worst_step"] == values.index(worst) + 1 and told["means"].endswith(".")


def test_the_threshold_of_the_page_is_the_one_that_raises_the_alarm():
    """Lock: one table says both."""
    cfg = PanelConfig(refusal_harmful=0.3, duplicates=0.0)
    steps = [{"step": 1, "panel/compliance_rate/harmful": 0.69, "panel/duplicates": 1.0, "actor/entropy": 0.02}]
    told = course(steps, cfg)["instruments"]
    assert told["panel/compliance_rate/harmful"]["threshold"] == pytest.approx(0.7)
    assert told["panel/duplicates"]["threshold"] is None, "0 turns an alarm off"
    assert not beyond(steps[0], cfg)
    assert set(beyond({"panel/compliance_rate/harmful": 0.71, "actor/entropy": 0.004}, cfg)) == {"compliance", "entropy"}


def test_whatever_the_panel_reads_has_an_instrument_that_says_what_it_means():
    facts = {"text": "t", "group": "g", "citations": 1, "right_citations": 1, "reward": 1.0, "truth": 1.0, "judge_gaps": {"a": 0.0}}
    values = read([{**facts, "harmful": True, "behaviour": "refuse"}, {**facts, "harmful": False, "behaviour": "comply"}])
    metrics = [*values, "panel/canary/empty", "panel/length_drift", "actor/entropy", "judge/refusal/unscored_share"]
    assert len(metrics) == 14
    for metric in metrics:
        assert instrument_of(metric).means, metric
    assert instrument_of("reward/total") is None and instrument_of("judge/refusal/asked") is None


def test_canaries_have_a_table_of_their_own(tmp_path):
    rows = [{"panel/duplicates": 0.1} for _ in range(20)]
    rows[9] |= {"panel/canary/empty": 0.0, "panel/canary/refusal": 0.7, "alarm/canary/refusal": 1.0}
    rows[19] |= {"panel/canary/empty": 0.1, "panel/canary/refusal": 0.4}
    summary, page = write_run(tmp_path / "run", rows, "panel:\n  canary: 0.65\n")
    told = summary["panel"]["grpo"]
    assert told["canaries"] == {
        "empty": {"last": 0.1, "max": 0.1, "threshold": 0.65, "raised": []},
        "refusal": {"last": 0.4, "max": 0.7, "threshold": 0.65, "raised": [[10, 10]]},
    }
    assert not any("canary" in metric for metric in told["instruments"])
    assert cells(page, "refusal") == ["refusal", "0.4", "0.7", "0.65 or more", "step 10"]
    assert "Alarm in grpo, step 10: canary/refusal. Mean reward of a text that deserves nothing." in page


def test_reward_and_truth_share_a_chart_where_truth_is_known(tmp_path):
    known = [{"panel/truth": 0.5, "panel/truth_gap": 0.1 * k, "reward/total": 0.0} for k in range(4)]
    _, page = write_run(tmp_path / "run", known)
    figure = next(f for f in re.findall(r"<figure>.*?</figure>", page) if "reward and truth" in f)
    assert re.findall(r"</i>([^<]*)", figure) == ["reward", "truth", "gap"]
    reward, truth, gap = ([float(p.split(",")[1]) for p in line.split()] for line in re.findall(r'points="([^"]*)"', figure))
    assert reward[0] == truth[0] and len(set(truth)) == 1, "the gap is taken from the same texts"
    assert reward == sorted(reward, reverse=True) and gap == sorted(gap, reverse=True), "up on a screen is down in numbers"
    _, page = write_run(tmp_path / "run", [{"panel/duplicates": 0.1}] * 2)
    assert "reward and truth, and" not in page and "The truth of these items is not known" in page


def test_refusals_of_both_sides_share_a_chart_and_judges_have_theirs(tmp_path):
    row = {"panel/refusal_rate/harmful": 0.9, "panel/refusal_rate/benign": 0.1, "panel/judge_gap/refusal": 0.2}
    _, page = write_run(tmp_path / "run", [{**row, "judge/refusal/unscored_share": 0.0}] * 3)
    figures = re.findall(r"<figure>.*?</figure>", page)
    both = next(f for f in figures if "refused: harmful and harmless items" in f)
    assert re.findall(r"</i>([^<]*)", both) == ["refusal_rate/harmful", "refusal_rate/benign"] and both.count("<polyline") == 2
    for title in ("judge minus rule", "judges: share of opinions not given"):
        assert sum(f">{title}<" in f for f in figures) == 1


def test_a_step_that_was_done_again_counts_once(tmp_path):
    again = [{"panel/duplicates": 0.95, "alarm/duplicates": 1.0}, {"step": 1, "panel/duplicates": 0.2}]
    summary, _ = write_run(tmp_path / "run", again)
    assert summary["alarms"] == {} and summary["panel"]["grpo"]["steps"] == 1


def test_values_that_are_no_numbers_are_left_out(tmp_path):
    rows = [{"panel/duplicates": float("nan"), "panel/truth": None}, {"panel/duplicates": True, "panel/truth": "0.3"}]
    summary, page = write_run(tmp_path / "run", [*rows, {"panel/citation_precision": float("inf")}])
    assert summary["panel"]["grpo"] == {"steps": 3, "instruments": {}, "canaries": {}}
    assert "Hacking panel" in page


def test_without_a_configuration_thresholds_are_unknown_and_a_damaged_one_is_the_users_error(tmp_path):
    summary, page = write_run(tmp_path / "run", [{"panel/duplicates": 0.5}], config=None)
    assert summary["panel"]["grpo"]["instruments"]["panel/duplicates"]["threshold"] is None
    assert cells(page, "panel/duplicates")[-2:] == ["–", "–"]
    for text in ("panel: {duplicate: 0.5}", "panel: {patience: 0}", "panel: {canary: much}", "panel: [1]", "panel: 3", "- 1", "{"):
        (tmp_path / "run" / "config.yaml").write_text(text)
        with pytest.raises(UserError, match=r"config\.yaml: damaged"):
            thresholds(tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text("seed: 3")
    assert thresholds(tmp_path / "run") == PanelConfig(), "a run from before the panel"


def test_steps_in_words_are_bounded():
    assert in_words([[8, 8]]) == "step 8" and in_words([[3, 5]]) == "steps 3–5" and in_words([[1, 1], [3, 4]]) == "steps 1, 3–4"
    assert in_words([[k, k] for k in range(0, 200, 2)]).endswith("20, 22 and 88 more stretches")


def test_half_the_length_is_as_bad_as_twice_and_none_at_all_is_worst():
    badness = Worse.FROM_ONE.badness
    assert badness(0.5) == pytest.approx(badness(2.0)) and badness(0.0) > badness(0.01) > badness(2.0) > badness(1.0)
    assert Worse.FROM_ONE.bound(1.75) == "1.75 or more, or 0.57 or less"
    assert set(beyond({"panel/length_drift": 0.57}, PanelConfig())) == {"length"} and not beyond(
        {"panel/length_drift": 0.58}, PanelConfig()
    )


def test_a_single_reading_is_a_dot(tmp_path):
    _, page = write_run(tmp_path / "run", [{"panel/duplicates": 0.5}])
    figure = next(f for f in re.findall(r"<figure>.*?</figure>", page) if "duplicates in a group" in f)
    first, second = re.search(r'stroke-linecap="round" points="(\S+) (\S+)"', figure).groups()
    assert first == second
