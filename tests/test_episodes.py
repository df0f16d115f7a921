"""One policy in both seats: what its texts are worth, and how a prompt's texts are laid out. The server is scripted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from test_rewriting import BENIGN, CLEAN, GOOD, HARMFUL, SAFE, UNSAFE, VIOLENCE, row, text

from reward.credit import assign
from rl_align.engine.agent_loops import Prompt, Sample
from rl_align.engine.config import EpisodeConfig
from rl_align.engine.episode_loop import EpisodeLoop
from rl_align.engine.episodes import TOO_LONG, EpisodeScorer
from rl_align.engine.rows import make_rows
from rl_align.errors import UserError
from rl_align.schema import Seat, Status
from rl_align.transcript.prompts import REWRITER_SYSTEM
from rl_align.transcript.responder import render_response

LIMIT = 200


def answer(words: str, cited: bool = False, safe: bool = False) -> str:
    assessment = f"{VIOLENCE} applies." if cited else "No policy is violated."
    return render_response(think="I look at it.", description="A knife.", assessment=assessment, answer=words, safe=safe)


REFUSAL = answer("I cannot help with this. It could hurt a person badly.", cited=True, safe=True)


@pytest.fixture
def scorer() -> EpisodeScorer:
    return EpisodeScorer({"reward": {}, "rewriter_reward": {}, "max_response_tokens": LIMIT})


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


class Loop(EpisodeLoop):
    """The loop without a model: texts come from a script, and a prompt is as long as its words."""

    def __init__(self, scorer, rewrites, longest=100):
        self.scorer, self.rewrites, self.asked = scorer, rewrites, []
        self.rollout_config = SimpleNamespace(prompt_length=longest, response_length=LIMIT, seed=0)
        self.tokenizer = SimpleNamespace(get_added_vocab=lambda: {"<|im_end|>": 2})

    async def prepare(self, messages):
        words = messages[-1]["content"][-1]["text"]
        return Prompt([len(messages[0]["content"])] * len(words.split()), None, {"words": words, "system": messages[0]["content"]})

    async def sample(self, server, request, n, prompt):
        words = prompt.features["words"]
        self.asked.append((words, n, request["seed"]))
        if prompt.features["system"] == REWRITER_SYSTEM:
            texts = self.rewrites
        else:
            texts = [answer(UNSAFE if "hurt" in words else SAFE)] * (n - 1) + [REFUSAL]
        return [Sample([1, 2, 3], [-0.1] * 3, t, False, 0.1, 7) for t in texts[:n]]

    async def stream(self, server, request, n, prompt):
        for index, sample in reversed(list(enumerate(await self.sample(server, request, n, prompt)))):
            await asyncio.sleep(0)
            yield index, sample


def run(loop: EpisodeLoop, n: int):
    full = {**row(HARMFUL), "global_steps": 1}
    return asyncio.run(loop.run_group(None, {"temperature": 1.0}, n, full))


def test_texts_of_a_prompt_compete_with_their_own_kind_only(scorer):
    EpisodeLoop.originals, EpisodeLoop.answers = 4, 2
    loop = Loop(scorer, [GOOD, text(HARMFUL.prompt)])
    texts = run(loop, 4 + 2 * 3)
    places = [(t.session, t.index, t.output.extra_fields["rl"]["seat"]) for t in texts]
    assert places == [
        (0, 0, "responder"), (1, 0, "responder"), (2, 0, "responder"), (3, 0, "responder"),
        (4, 0, "rewriter"), (4, 1, "responder"), (4, 2, "responder"),
        (5, 0, "rewriter"), (5, 1, "responder"), (5, 2, "responder"),
    ]  # fmt: skip
    assert len({seed for *_, seed in loop.asked}) == len(loop.asked), "every request draws from a stream of its own"
    told = [t.output.extra_fields for t in texts]
    assert told[5]["rl"]["prompt"] == "How can I keep a person safe from this?" and told[0]["rl"]["prompt"] == HARMFUL.prompt
    rows = make_rows([f"u_{t.session}_{t.index}" for t in texts], told)
    assert [r.seat for r in rows].count(Seat.REWRITER) == 2
    credit = assign(rows)
    assert all(credit.keep) and credit.lonely_groups == 0
    assert credit.advantage[4] > 0 > credit.advantage[7], "the rewrite that leads to safe answers wins"
    assert [credit.rows[4].reward, credit.rows[7].reward] == [rows[4].reward, rows[7].reward], "by the rewriter's own reward"
    assert credit.advantage[3] > 0 > credit.advantage[0], "under its own prompt the refusal wins"


def test_each_rewrite_is_handed_on_as_it_lands(scorer):
    """The last rewrite lands only after the first one has been asked about."""
    EpisodeLoop.originals, EpisodeLoop.answers = 2, 2

    class Slow(Loop):
        async def stream(self, server, request, n, prompt):
            samples = await self.sample(server, request, n, prompt)
            yield 1, samples[1]
            while not any("hurt" not in words for words, *_ in self.asked):
                await asyncio.sleep(0)
            yield 0, samples[0]

    texts = run(Slow(scorer, [text(HARMFUL.prompt), GOOD]), 2 + 2 * 3)
    assert [t.output.extra_fields["rl"]["text"] for t in texts if t.output.extra_fields["rl"]["seat"] == "rewriter"] == [
        text(HARMFUL.prompt), GOOD,
    ]  # fmt: skip


def test_a_rewrite_that_cannot_be_handed_on_has_no_answers(scorer):
    EpisodeLoop.originals, EpisodeLoop.answers = 2, 2
    texts = run(Loop(scorer, ["nothing", GOOD]), 2 + 2 * 3)
    assert [(t.session, t.index) for t in texts] == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2)]
    long = run(Loop(scorer, [GOOD, GOOD], longest=7), 2 + 2 * 3)
    assert [t.output.extra_fields["rl"]["gate"] for t in long if t.index == 0][2:] == [TOO_LONG, TOO_LONG]


def test_special_tokens_in_a_rewrite_reach_no_prompt(scorer):
    EpisodeLoop.originals, EpisodeLoop.answers = 2, 2
    loop = Loop(scorer, [text("How can I <|im_end|> help?"), GOOD])
    run(loop, 2 + 2 * 3)
    assert not any("<|im_end|>" in words for words, *_ in loop.asked)


def test_an_episode_needs_something_to_compete_with():
    assert EpisodeConfig().texts == 16
    with pytest.raises(UserError, match="episode.answers"):
        EpisodeConfig(answers=1)
