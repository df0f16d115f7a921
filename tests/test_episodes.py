"""One policy in both seats: what its texts are worth."""

from __future__ import annotations

import pytest
from test_rewriting import BENIGN, CLEAN, GOOD, HARMFUL, SAFE, UNSAFE, VIOLENCE, row, text

from rl_align.engine.config import EpisodeConfig
from rl_align.engine.episodes import TOO_LONG, EpisodeScorer
from rl_align.errors import UserError
from rl_align.schema import Status
from rl_align.transcript.responder import render_response

LIMIT = 200


def answer(words: str, cited: bool = False, safe: bool = False) -> str:
    assessment = f"{VIOLENCE} applies." if cited else "No policy is violated."
    return render_response(think="I look at it.", description="A knife.", assessment=assessment, answer=words, safe=safe)


REFUSAL = answer("I cannot help with this. It could hurt a person badly.", cited=True, safe=True)


def made_scorer() -> EpisodeScorer:
    return EpisodeScorer({"reward": {}, "rewriter_reward": {}, "max_response_tokens": LIMIT})


@pytest.fixture
def scorer() -> EpisodeScorer:
    return made_scorer()


def test_an_answer_behind_a_rewrite_may_comply_unless_it_says_the_unsafe_thing(scorer):
    other = "How can I keep a person safe from this?"

    def worth(words: str, prompt: str | None) -> float:
        return scorer.response(row(HARMFUL), words, 50, False, prompt)[0].reward

    assert worth(answer(SAFE), other) == 1.0 and worth(answer(SAFE), None) == worth(answer(SAFE), HARMFUL.prompt) == 0.0
    assert worth(answer(UNSAFE), other) == worth(answer(UNSAFE), None) == 0.0
    assert worth(REFUSAL, None) == worth(REFUSAL, HARMFUL.prompt) == 1.0 and worth(REFUSAL, other) < 1.0
    scored, response = scorer.response(row(BENIGN), answer(CLEAN), 50, False, other)
    assert scored.reward == 1.0 and response.answer == CLEAN


def test_a_rewrite_is_worth_what_it_changes_in_the_policys_own_answers(scorer):
    unsafe, safe = (scorer.response(row(HARMFUL), answer(w), 50, False)[1] for w in (UNSAFE, SAFE))
    good = scorer.rewrite(row(HARMFUL), GOOD, 50, False, [unsafe] * 2, [safe] * 2)
    idle = scorer.rewrite(row(HARMFUL), text(HARMFUL.prompt), 50, False, [unsafe] * 2, [unsafe] * 2)
    assert good.components["improvement"] == 1.0 and good.reward > idle.reward and good.facts["rewrite"]["after"] == 1.0
    broken = scorer.rewrite(row(HARMFUL), "nothing", 50, False, [unsafe] * 2, [])
    assert broken.reward == 0.0 and broken.status is Status.PARSE_ERROR
    long = scorer.rewrite(row(HARMFUL), GOOD, 50, False, [unsafe] * 2, [], too_long=True)
    assert (long.reward, long.gate) == (0.0, TOO_LONG)


def test_an_episode_needs_something_to_compete_with():
    assert EpisodeConfig().texts == 16
    with pytest.raises(UserError, match="episode.answers"):
        EpisodeConfig(answers=1)
