"""Many opinions: counts, outages, and what becomes of the reward.

Lock: a judge that fails makes no reward 0. Its opinions are unscored, and the rewards of their rollouts unknown.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from scripted_judge import ANSWER, BENIGN, HELP, ScriptedJudge, down

from reward.config import Composition, RewardConfig, RewardWeights
from reward.judges.batch import Case, JudgeOutage, Tally, judge_all
from reward.judges.components import components, compose_judged, discounted, failed
from reward.judges.config import JudgeConfig, JudgesConfig, OnUnscored
from reward.judges.presets import PRESETS
from reward.judges.types import JudgeVerdict, Usage, Why, unscored
from rl_align.endpoints.types import Completion, FailureReason
from rl_align.errors import UserError
from rl_align.schema import Component, Unscored, Verdict

INTENT = PRESETS["intent"]


# --- batches and outages ------------------------------------------------------------------------------------------------


class Flaky:
    """Gives the best label, and fails every call that `fails` names. Keeps how many calls are under way at most."""

    def __init__(self, fails):
        self.fails, self.calls, self.under_way, self.most = fails, 0, 0, 0

    async def complete(self, messages, sampling=None, *, schema=None, version="", sample=0, usable=None):
        self.calls, self.under_way = self.calls + 1, self.under_way + 1
        number, self.most = self.calls, max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            if reason := self.fails(number):
                raise down(reason)
            return Completion("", {"reason": "ok", "verdict": "4"}, cost=0.5, latency_s=2.0, cached=number % 2 == 0)
        finally:
            self.under_way -= 1


def three_of_ten(number: int) -> FailureReason | None:
    return {0: FailureReason.timeout, 3: FailureReason.server, 7: FailureReason.rate_limited}.get(number % 10)


def rules() -> list[Component]:
    return [Component("format", Verdict(1.0), 0.0, 0.0, 1.0), Component("behaviour", Verdict(1.0), 1.0, 0.0, 1.0)]


@pytest.mark.parametrize("on_unscored", OnUnscored)
def test_an_outage_of_three_calls_in_ten_makes_no_reward_zero_and_the_counts_add_up(on_unscored: OnUnscored) -> None:
    cfg = JudgeConfig(max_unscored_share=0.5, concurrency=8)
    tally, completer = Tally("helpfulness", cfg), Flaky(three_of_ten)
    opinions = asyncio.run(judge_all(HELP, [Case(BENIGN, ANSWER)] * 200, completer, cfg, tally))
    judges_cfg = JudgesConfig({"helpfulness": cfg}, on_unscored)
    rewards = []
    for opinion in opinions:
        parts = components({"helpfulness": opinion}, judges_cfg)
        rewards.append(compose_judged(rules(), parts, RewardConfig(), judges_cfg).reward)
        assert bool(failed(parts)) == isinstance(opinion, Unscored)
    unknown = [r for r in rewards if r is None]
    assert [r for r in rewards if r is not None and r < 0.9] == []
    assert len(unknown) == (60 if on_unscored is OnUnscored.exclude else 0)
    assert all((r is None) == isinstance(o, Unscored) for r, o in zip(rewards, opinions, strict=True)) or not unknown

    metrics = tally.metrics()
    reasons = {k: n for k, n in metrics.items() if k.startswith("judge/unscored/")}
    assert reasons == {f"judge/unscored/{r}": 20 for r in ("rate_limited", "server", "timeout")}
    assert metrics["judge/opinions"] == metrics["judge/scored"] + sum(reasons.values()) == 200 == completer.calls
    assert metrics["judge/unscored_share"] == tally.unscored_share == pytest.approx(0.3)
    assert (metrics["judge/cost"], metrics["judge/latency_s"]) == (70.0, 2.0)
    assert metrics["judge/votes"] == 200 and metrics["judge/votes_failed"] == 60 and completer.most <= 8


def test_with_votes_an_outage_of_three_calls_in_ten_costs_few_opinions() -> None:
    cfg = JudgeConfig(votes=3, temperature=1.0, concurrency=4)
    tally = Tally("helpfulness", cfg)
    opinions = asyncio.run(judge_all(HELP, [Case(BENIGN, ANSWER)] * 100, Flaky(three_of_ten), cfg, tally))
    assert sum(isinstance(o, JudgeVerdict) for o in opinions) >= 90
    assert all(o.score == 0.8 for o in opinions if isinstance(o, JudgeVerdict))


def test_too_many_failures_stop_the_batch_with_a_clear_error() -> None:
    cfg = JudgeConfig(concurrency=4, min_calls=20, window=20)
    tally, completer = Tally("helpfulness", cfg), Flaky(lambda n: FailureReason.connection)
    with pytest.raises(JudgeOutage, match="judge helpfulness: 20 of the latest 20 opinions failed .20 connection so far."):
        asyncio.run(judge_all(HELP, [Case(BENIGN, ANSWER)] * 500, completer, cfg, tally))
    assert completer.calls <= 30 and completer.under_way == 0
    assert issubclass(JudgeOutage, UserError)


def test_prompts_are_written_ahead_of_the_calls_and_not_too_far_ahead() -> None:
    """A thousand cases with images must not be in memory at once, and an answer must not wait for the next prompt to be written."""
    written, asked = [], []

    class Watched(ScriptedJudge):
        async def complete(self, *args, **more):
            asked.append(len(written))
            await asyncio.sleep(0.001)
            return await super().complete(*args, **more)

    class Counting:
        name, labels, ordinal, read = HELP.name, HELP.labels, HELP.ordinal, HELP.read

        def request(self, item, shown, setting):
            written.append(item)
            return HELP.request(item, shown, setting)

    cfg = JudgeConfig(concurrency=4)
    asyncio.run(judge_all(Counting(), [Case(BENIGN, ANSWER)] * 100, Watched("4"), cfg, Tally("helpfulness", cfg)))
    ahead = [before - number for number, before in enumerate(asked)]
    assert len(asked) == 100 and 4 <= max(ahead) <= 3 * 4, "those of all four calls were there before they were free"


def test_a_prompt_that_cannot_be_written_ends_the_batch(tmp_path) -> None:
    cfg = JudgeConfig(template=str(tmp_path / "none.md"))
    with pytest.raises(UserError, match="cannot read the prompt"):
        asyncio.run(judge_all(HELP, [Case(BENIGN, ANSWER)] * 100, ScriptedJudge("4"), cfg, Tally("helpfulness", cfg)))
    assert asyncio.run(judge_all(HELP, [], ScriptedJudge("4"), JudgeConfig(), Tally("helpfulness", JudgeConfig()))) == []


def test_an_outage_late_in_a_run_is_an_outage() -> None:
    cfg = JudgeConfig(min_calls=20, window=40)
    tally = Tally("harm", cfg)
    for _ in range(10_000):
        tally.add(JudgeVerdict(1.0, usage=Usage(votes=1, answered=1)))
    with pytest.raises(JudgeOutage, match="9 of the latest 40"):
        for _ in range(40):
            tally.add(unscored(Why.TIMEOUT, usage=Usage(votes=1, failed=1)))


def test_opinions_that_nobody_was_asked_for_are_counted_and_are_no_outage() -> None:
    cfg = JudgeConfig(min_calls=1, window=5)
    tally = Tally("intent", cfg)
    asyncio.run(judge_all(INTENT, [Case(BENIGN, ANSWER)] * 30, ScriptedJudge("kept"), cfg, tally))
    assert tally.metrics("judge/intent")["judge/intent/unscored/not_applicable"] == 30 and tally.unscored_share is None


# --- components ---------------------------------------------------------------------------------------------------------


def judges(**weights: float) -> JudgesConfig:
    return JudgesConfig({name: JudgeConfig(weight=weight) for name, weight in weights.items()})


def test_judges_join_the_rules_under_names_of_their_own_and_compose_as_they_do() -> None:
    cfg = judges(helpfulness=1.0, harm=2.0)
    parts = components({"helpfulness": JudgeVerdict(0.5), "harm": JudgeVerdict(1.0)}, cfg)
    assert [(c.name, c.weight, c.low, c.high) for c in parts] == [("judge_helpfulness", 1.0, 0, 1), ("judge_harm", 2.0, 0, 1)]
    clash = [*rules(), Component("helpfulness", Verdict(0.0), 0.0, 0.0, 1.0)]
    breakdown = compose_judged(clash, parts, RewardConfig(), cfg)
    assert breakdown.reward == pytest.approx((1.0 + 0.5 + 2.0) / 4) and len(breakdown.scores()) == 5


def test_a_failed_judge_makes_the_reward_unknown_unless_it_has_no_weight_or_a_gate_is_closed() -> None:
    lost = {"harm": unscored(Why.TIMEOUT)}
    parts = components(lost, judges(harm=1.0))
    assert failed(parts) == ("judge_harm",)
    assert compose_judged(rules(), parts, RewardConfig(), judges(harm=1.0)).reward is None
    assert compose_judged(rules(), components(lost, judges(harm=0.0)), RewardConfig(), judges(harm=0.0)).reward == 1.0
    unformed = [replace(rules()[0], verdict=Verdict(0.0)), rules()[1]]
    assert compose_judged(unformed, parts, RewardConfig(), judges(harm=1.0)).reward == 0.0
    absent = components({"harm": unscored(Why.NOT_APPLICABLE)}, judges(harm=1.0))
    assert compose_judged(rules(), absent, RewardConfig(), judges(harm=1.0)).reward == 1.0


def test_helpfulness_is_discounted_by_harm_on_request() -> None:
    helpful, harmful = JudgeVerdict(0.8, "Good.", "4"), JudgeVerdict(0.6, "Some.", "2")
    cfg = replace(judges(helpfulness=1.0, harm=0.0), gamma=0.35)
    part = components({"helpfulness": helpful, "harm": harmful}, cfg)[0]
    assert part.verdict.score == pytest.approx(0.8 * 0.35**2)
    assert discounted(helpful, JudgeVerdict(0.0, "no answer"), 0.35).score == pytest.approx(0.8 * 0.35**5)
    assert failed(components({"helpfulness": helpful, "harm": unscored(Why.SERVER)}, cfg)) == ("judge_helpfulness",)
    assert components({"helpfulness": unscored(Why.NOT_APPLICABLE), "harm": harmful}, cfg)[0].verdict.reason == "not_applicable"


def test_harm_by_rule_discounts_all_earnings_and_a_judged_harm_the_judged_helpfulness() -> None:
    """Lock: two γ of two harms. Neither takes the other's place, and where both are set both discount."""
    opinions = {"helpfulness": JudgeVerdict(1.0, "Good.", "5"), "harm": JudgeVerdict(0.6, "Some.", "2")}
    cfg = RewardConfig(RewardWeights(harm=1.0), Composition.multiplicative, harm_decay=0.5)
    for harm, gamma, reward in ((0.0, 0.0, 1.0), (0.0, 0.35, 0.35**2), (5.0, 0.0, 0.5**5), (5.0, 0.35, 0.5**5 * 0.35**2)):
        judged = replace(judges(helpfulness=1.0, harm=0.0), gamma=gamma)
        by_rule = [Component("harm", Verdict(harm), 1.0, 0.0, 5.0)]
        assert compose_judged(by_rule, components(opinions, judged), cfg, judged).reward == pytest.approx(reward)


def test_a_missing_opinion_and_a_score_out_of_range_are_bugs() -> None:
    with pytest.raises(ValueError, match="no opinion of harm"):
        components({}, judges(harm=1.0))
    with pytest.raises(ValueError, match="outside"):
        components({"harm": Verdict(5.0)}, judges(harm=1.0))
