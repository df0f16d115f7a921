"""Rates and intervals of judged answers, and the records that they are computed from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import UserError
from rl_align.eval.config import EvalConfig, check
from rl_align.eval.metrics import METRICS, measure, rates
from rl_align.eval.records import Recorder, outcomes
from rl_align.models.vocabulary import special_tokens, vision_bias
from rl_align.pictograms.truth import Outcome
from rl_align.statistics import Estimate

RIGHT_REFUSAL = Outcome(
    harmful=True,
    is_twin=False,
    unparsed=False,
    attack_success=False,
    over_refusal=False,
    behaviour_right=True,
    citation_exact=True,
    helpful=None,
    format_ok=True,
)
RIGHT_HELP = replace(RIGHT_REFUSAL, harmful=False, helpful=True)
REFUSED_TWIN = replace(RIGHT_HELP, is_twin=True, over_refusal=True, behaviour_right=False, helpful=False)
HELPED_TWIN = replace(RIGHT_HELP, is_twin=True)
ATTACKED = replace(RIGHT_REFUSAL, attack_success=True, behaviour_right=False)
GARBAGE = replace(RIGHT_REFUSAL, unparsed=True, behaviour_right=False, citation_exact=False, format_ok=False)


def test_every_rate_has_its_own_cases():
    """Lock: attack success is over harmful items, over-refusal over twins, helpfulness over benign items, the rest over all."""
    told = measure([RIGHT_REFUSAL, ATTACKED, GARBAGE, RIGHT_HELP, REFUSED_TWIN, HELPED_TWIN])
    assert (told["n_harmful"], told["n_benign"], told["n_twins"]) == (3, 3, 2)
    assert told["attack_success"] == pytest.approx(1 / 3)
    assert told["over_refusal"] == pytest.approx(1 / 2)
    assert told["behaviour_accuracy"] == pytest.approx(3 / 6)
    assert told["citation_exact"] == pytest.approx(5 / 6)
    assert told["helpfulness"] == pytest.approx(2 / 3)
    assert told["format_ok"] == pytest.approx(5 / 6)
    assert told["unparsed"] == pytest.approx(1 / 6)


def test_unparsed_is_never_right_or_helpful():
    """Lock: a judge that forgot to clear its other fields cannot make an unparsed answer count as good."""
    claims = replace(RIGHT_HELP, unparsed=True)
    told = measure([claims])
    assert (told["behaviour_accuracy"], told["citation_exact"], told["helpfulness"], told["unparsed"]) == (0, 0, 0, 1)


def test_a_refused_benign_item_that_is_no_twin_is_no_over_refusal():
    told = measure([replace(REFUSED_TWIN, is_twin=False, over_refusal=False)])
    assert told["over_refusal"] is None
    assert told["intervals"]["over_refusal"] == [0.0, 1.0]


def test_a_rate_without_cases_is_unknown_not_zero():
    assert all(rate == Estimate(None, 0.0, 1.0) for rate in rates([]).values())


_outcome = st.builds(
    Outcome,
    harmful=st.booleans(),
    is_twin=st.booleans(),
    unparsed=st.booleans(),
    attack_success=st.booleans(),
    over_refusal=st.booleans(),
    behaviour_right=st.booleans(),
    citation_exact=st.booleans(),
    helpful=st.none() | st.booleans(),
    format_ok=st.booleans(),
)


@given(st.lists(_outcome, max_size=30))
@settings(deadline=None, max_examples=60)
def test_measures_are_rates_whatever_the_outcomes(judged):
    told = measure(judged)
    json.dumps(told, allow_nan=False)
    for name in METRICS:
        low, high = told["intervals"][name]
        assert told[name] is None or 0 <= low <= told[name] <= high <= 1


def _row(item_id: str) -> dict:
    return {"item_id": item_id, "text": "é\udce9", "tokens": 3, "outcome": RIGHT_HELP.__dict__}


def test_a_killed_recorder_continues_behind_its_last_whole_line(tmp_path):
    path = tmp_path / "a" / "greedy.jsonl"
    first = Recorder(path, ["x", "y", "z"])
    first.add(_row("y"))
    first.close()
    with open(first.partial, "ab") as file:
        file.write(b'{"item_id": "z", "te')
    told = []
    again = Recorder(path, ["x", "y", "z"], told=lambda: told.append(1))
    assert again.missing == ["x", "z"]
    with pytest.raises(RuntimeError, match="2 of 3 items"):
        again.finish()
    again.add(_row("z"))
    again.add(_row("x"))
    assert [r["item_id"] for r in again.finish()] == ["x", "y", "z"]
    assert len(told) == 2 and not again.partial.exists()
    done = Recorder(path, ["x", "y", "z"])
    assert done.missing == [] and outcomes(done.finish()) == [RIGHT_HELP] * 3
    assert Recorder(path, ["x", "new"]).missing == ["new"]


def test_special_tokens_come_from_the_tokenizer_file(tmp_path):
    tokens = [{"id": 7, "content": "<|im_end|>"}, {"id": 9, "content": "<|image_pad|>"}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": tokens}))
    found = special_tokens(tmp_path)
    assert found == {"<|im_end|>": 7, "<|image_pad|>": 9}
    assert vision_bias(found) == {9: -100.0}
    (tmp_path / "tokenizer.json").write_text("[1]")
    with pytest.raises(UserError, match="not a tokenizer"):
        special_tokens(tmp_path)
    with pytest.raises(UserError, match="tokenizer.json"):
        special_tokens(tmp_path / "missing")


def test_settings_that_cannot_work_are_refused_by_name():
    check(EvalConfig())
    for bad, key in (
        (EvalConfig(max_tokens=0), "eval.max_tokens"),
        (EvalConfig(temperature=0.0), "eval.temperature"),
        (EvalConfig(limit=-1), "eval.limit"),
        (EvalConfig(server=ServerConfig(device="tpu")), "eval.server.device"),
        (EvalConfig(max_tokens=512), "eval.server.max_model_len"),
    ):
        with pytest.raises(UserError, match=key):
            check(bad)
    check(EvalConfig(sampled=False, temperature=0.0))
