"""One policy in both seats: how a prompt's texts are laid out. The server is scripted; the loop is built on verl's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from test_episodes import LIMIT, REFUSAL, answer, made_scorer
from test_rewriting import GOOD, HARMFUL, SAFE, UNSAFE, row, text

from reward.credit import assign
from rl_align.engine.episodes import TOO_LONG
from rl_align.engine.rows import make_rows
from rl_align.schema import Seat
from rl_align.transcript.prompts import REWRITER_SYSTEM

pytestmark = pytest.mark.engine


@pytest.fixture
def scorer():
    return made_scorer()


@pytest.fixture(scope="module")
def loop_class():
    """The class is made here because its base imports verl, which takes seconds."""
    from rl_align.engine.agent_loops import Prompt, Sample
    from rl_align.engine.episode_loop import EpisodeLoop

    class Loop(EpisodeLoop):
        """Without a model: texts come from a script, and a prompt is as long as its words."""

        def __init__(self, scorer, rewrites, longest=100):
            self.scorer, self.rewrites, self.asked = scorer, rewrites, []
            self.rollout_config = SimpleNamespace(prompt_length=longest, response_length=LIMIT, seed=0)
            self.tokenizer = SimpleNamespace(get_added_vocab=lambda: {"<|im_end|>": 2})

        async def prepare(self, messages):
            words = messages[-1]["content"][-1]["text"]
            system = messages[0]["content"]
            return Prompt([len(system)] * len(words.split()), None, {"words": words, "system": system})

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

    return Loop


def run(loop, n: int):
    full = {**row(HARMFUL), "global_steps": 1}
    return asyncio.run(loop.run_group(None, {"temperature": 1.0}, n, full))


def test_texts_of_a_prompt_compete_with_their_own_kind_only(loop_class, scorer):
    loop_class.originals, loop_class.answers = 4, 2
    loop = loop_class(scorer, [GOOD, text(HARMFUL.prompt)])
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


def test_each_rewrite_is_handed_on_as_it_lands(loop_class, scorer):
    """The last rewrite lands only after the first one has been asked about."""
    loop_class.originals, loop_class.answers = 2, 2

    class Slow(loop_class):
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


def test_a_rewrite_that_cannot_be_handed_on_has_no_answers(loop_class, scorer):
    loop_class.originals, loop_class.answers = 2, 2
    texts = run(loop_class(scorer, ["nothing", GOOD]), 2 + 2 * 3)
    assert [(t.session, t.index) for t in texts] == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2)]
    long = run(loop_class(scorer, [GOOD, GOOD], longest=7), 2 + 2 * 3)
    assert [t.output.extra_fields["rl"]["gate"] for t in long if t.index == 0][2:] == [TOO_LONG, TOO_LONG]


def test_special_tokens_in_a_rewrite_reach_no_prompt(loop_class, scorer):
    loop_class.originals, loop_class.answers = 2, 2
    loop = loop_class(scorer, [text("How can I <|im_end|> help?"), GOOD])
    run(loop, 2 + 2 * 3)
    assert not any("<|im_end|>" in words for words, *_ in loop.asked)
