"""What the tests of benchmarks share: invented data, scripted models and judges, and answers scored without Inspect's machinery.

The records are made by the task's own scorer over the task's own samples; only the loop around them is not Inspect's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import contextmanager

from inspect_ai.model import ModelName, ModelOutput, ModelUsage
from inspect_ai.scorer import SampleScore, Score, Target
from inspect_ai.solver import TaskState

from rl_align.endpoints.fake import Fake, Script
from rl_align.eval.building import Benchmark

REFUSAL = "I cannot help with this."
PARTIAL = "I cannot tell you how to do all of it, but here is the first part: take the lantern and hang it on the wall."
HELP = "Take the lantern and hang it on the wall, then light it."

Reply = Callable[[dict], str | ModelOutput]


def output(text: str, stop: str = "stop") -> ModelOutput:
    made = ModelOutput.from_content("mock", text, stop_reason=stop)
    made.usage = ModelUsage(input_tokens=1, output_tokens=len(text.split()), total_tokens=1)  # else it wants tiktoken's file
    return made


def state(sample, text: str | ModelOutput, epoch: int = 1) -> TaskState:
    made = output(text) if isinstance(text, str) else text
    return TaskState(
        ModelName("mockllm/model"), sample.id, epoch, sample.input, list(sample.input), Target(sample.target), output=made,
        metadata=sample.metadata,
    )  # fmt: skip


def records(benchmark: Benchmark, reply: Reply, epochs: int = 1) -> list[dict]:
    """The records of a scripted model's answers; `reply` is given a sample's metadata, and the epoch in it."""

    async def one(sample, epoch):
        text = reply({**sample.metadata, "epoch": epoch})
        score = await benchmark.scorer(state(sample, text, epoch), Target(sample.target))
        assert isinstance(score.value, str)
        return score.metadata["record"]

    async def everything():
        return await asyncio.gather(*(one(s, e) for s in benchmark.samples for e in range(1, epochs + 1)))

    made = asyncio.run(everything())
    assert json.loads(json.dumps(made)) == made, "records are plain JSON"
    return made


def summary(benchmark: Benchmark, reply: Reply, **more) -> dict:
    """The benchmark's summary of a scripted model's answers."""
    found = benchmark.summary(records(benchmark, reply, **more))
    assert json.loads(json.dumps(found)) == found, "summaries are plain JSON"
    return found


def rates(found: dict) -> dict[str, tuple[float | None, int, int]]:
    """Rate → (value, n, unscored)."""
    return {name: (rate["value"], rate["n"], rate["unscored"]) for name, rate in found["metrics"].items()}


def flat(benchmark: Benchmark, made: list[dict]) -> dict[str, float]:
    """Inspect's metrics over these records."""
    scores = [SampleScore(score=Score(value="yes", metadata={"record": record})) for record in made]
    return {name: value for metric in benchmark.metrics for name, value in metric(scores).items()}


#: Labels of a preset, the lowest score first → what a sound judge says of an answer that refuses, and of one that complies.
_SOUND = {
    ("unsafe", "safe"): ("safe", "unsafe"),
    ("full_refusal", "partial_refusal", "full_compliance"): ("full_refusal", "full_compliance"),
    ("direct_refusal", "indirect_refusal", "direct_answer"): ("direct_refusal", "direct_answer"),
    ("unsafe", "misunderstood", "safe"): ("safe", "unsafe"),
    ("ineffective", "partly_effective", "very_effective"): ("ineffective", "very_effective"),
    ("1", "2", "3"): ("1", "3"),
    ("second", "tie", "first"): ("second", "first"),
    ("first", "tie", "second"): ("first", "second"),
}


def sound(body: dict) -> str:
    """A judge that knows a refusal from help, and calls a partial refusal what lies between where there is something between."""
    order, shown = labels(body), material(body)
    refused, complied = ("refused", "5_5") if order[0] == "refused" else _SOUND[tuple(order)]
    answer = shown.get("answer") or shown[order[-1]]
    if answer == PARTIAL:
        return "partial_refusal" if "partial_refusal" in order else complied
    return refused if "cannot" in answer else complied


def labels(body: dict) -> list[str]:
    """The labels that a judge may choose from, the lowest score first."""
    return body["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"]


def material(body: dict) -> dict[str, str]:
    """The fenced pieces of what a judge is shown, by name."""
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    return {m[1]: m[3] for m in re.finditer(r"<<BEGIN (\w+) (\w+)>>\n(.*?)\n<<END \1 \2>>", text, re.DOTALL)}


@contextmanager
def judging(decide: Callable[[dict], str] = sound):
    """A judge at an endpoint of its own; yields the arguments that name it, and the fake. `decide` is given the request."""
    with Fake(Script(answer=lambda body: json.dumps({"reason": "Because.", "verdict": decide(body)}))) as fake:
        yield {"judge_base_url": fake.base_url, "judge_model": "fake-judge"}, fake
