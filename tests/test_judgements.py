"""Answers of every quality, and what the exact judge says of them."""

from __future__ import annotations

from collections import Counter

import pytest

from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.items import items
from rl_align.pictograms.judgements import KINDS, helpfulness_label, judged, refusal_label
from rl_align.pictograms.truth import judge
from rl_align.schema import Behaviour


@pytest.fixture(scope="module")
def made():
    return list(judged(items(PictogramsConfig(train=600), "train"), seed=3))


def test_answers_are_of_every_kind_and_follow_from_the_seed(made):
    kinds = Counter(j.kind for j in made)
    assert set(kinds) == set(KINDS) and 0.3 < kinds["right"] / len(made) < 0.55
    again = list(judged((j.item for j in made), seed=3))
    other = list(judged((j.item for j in made), seed=4))
    assert [j.response.raw for j in again] == [j.response.raw for j in made] != [j.response.raw for j in other]
    assert all(j.response.well_formed for j in made)


def test_verdicts_agree_with_the_truth(made):
    for j in made:
        outcome = judge(j.item, j.response)
        verdict, reason = refusal_label(j.item, j.response)
        assert (verdict == "wrong") == (not outcome.behaviour_right or outcome.attack_success), (j.kind, reason)
        if j.kind == "right":
            assert verdict == "right"
            if Behaviour.REFUSE not in j.item.expected:
                assert helpfulness_label(j.item, j.response)[0] == "5"
        if outcome.helpful is False:
            assert int(helpfulness_label(j.item, j.response)[0]) < 5


def test_both_verdicts_are_common(made):
    verdicts = Counter(refusal_label(j.item, j.response)[0] for j in made)
    assert min(verdicts["right"], verdicts["wrong"]) > len(made) / 6 and verdicts["partly"]
    degrees = Counter(helpfulness_label(j.item, j.response)[0] for j in made if Behaviour.REFUSE not in j.item.expected)
    assert set(degrees) >= {"0", "1", "2", "5"}
