"""What judging costs beside the judge itself: new opinions of a scripted endpoint, then known ones (`rl-align bench reward`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from reward.judges.batch import Case, Tally, judge_all
from reward.judges.config import JudgeConfig
from reward.judges.hardening import Hardening
from reward.judges.judge import judge
from reward.judges.presets import preset
from rl_align.endpoints.bench import fake
from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig
from rl_align.pictograms.items import items
from rl_align.pictograms.teacher import transcript
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Verdict
from rl_align.transcript.responder import parse_response

#: New opinions may take this many times the ideal; known ones come at this many a second.
TARGETS = {"ratio": 1.15, "known": 20_000}
PRESET = "refusal"
_PASSES = 5


def bench(count: int = 4096, concurrency: int = 64, latency_s: float = 0.2, say: Callable[[str], None] = print) -> dict[str, float]:
    """Measures both and says what came out. The endpoint runs in a process of its own, and its cost is part of what is measured.

    Args:
        count: Different opinions.
        concurrency: How many are asked for at a time.
        latency_s: How long the endpoint takes for each.
        say: Gets a line a measurement.

    Returns:
        "ratio": seconds for all of them over the ideal; "ms": CPU time of ours for one; "known": opinions a second by CPU time when
        their answers are in memory and their prompts have been written before, as those of siblings that write the same.
    """
    cases = _cases(count)
    with fake(latency_s, latency_s) as url:
        found = asyncio.run(_measure(url, cases, concurrency))
    ideal = count / concurrency * latency_s
    found["ratio"] = found.pop("seconds") / ideal
    told = {name: "met" if (found[name] <= target) is (name == "ratio") else "missed" for name, target in TARGETS.items()}
    say(
        f"judges: {count:,} opinions of {latency_s * 1000:g} ms, {concurrency} at a time, take {found['ratio']:.3f} times the "
        f"ideal of {ideal:.1f} s, {found['ms']:.2f} ms of CPU each (target {TARGETS['ratio']:g}: {told['ratio']})"
    )
    say(f"judges: {found['known']:,.0f} known opinions/s on one core (target {TARGETS['known']:,}: {told['known']})")
    return found


async def _measure(url: str, cases: Sequence[Case], concurrency: int) -> dict[str, float]:
    cfg = JudgeConfig(concurrency=concurrency)
    question, catalogue, hardening = preset(PRESET), Catalogue.load(), Hardening.of(cfg)
    async with Endpoint(EndpointConfig(url, "fake", concurrency=concurrency)) as endpoint:
        first = [Case(case.item, replace(case.response, answer=f"{case.response.answer} First.")) for case in cases[:concurrency]]
        await judge_all(question, first, endpoint, cfg, Tally(PRESET, cfg))  # connections, imports
        begun, cpu = time.perf_counter(), time.process_time()
        opinions = await judge_all(question, cases, endpoint, cfg, Tally(PRESET, cfg))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        best = float("inf")
        for _ in range(_PASSES):
            begun = time.process_time()
            known = [
                await judge(question, c.item, c.response, endpoint, cfg, catalogue=catalogue, hardening=hardening) for c in cases
            ]
            best = min(best, time.process_time() - begun)
        sent = endpoint.metrics()["judge/requests"]
    if sent != len(cases) + len(first) or not all(isinstance(o, Verdict) for o in [*opinions, *known]):
        raise RuntimeError("the scripted judge did not answer as scripted")
    return {"seconds": seconds, "ms": cpu / len(cases) * 1000, "known": len(cases) / best}


def _cases(count: int) -> list[Case]:
    made = list(items(PictogramsConfig(train=min(count, 512)), "train"))
    responses = [parse_response(transcript(item, TeacherConfig()), prompt=item.prompt) for item in made]
    pairs = [(made[k % len(made)], responses[k % len(made)]) for k in range(count)]
    return [Case(item, replace(response, answer=f"{response.answer} {k}")) for k, (item, response) in enumerate(pairs)]
