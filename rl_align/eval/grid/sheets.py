"""A benchmark as the matrix sees it: what is asked, what an answer's record is, and what that is measured by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, GenerateConfig, ModelName, ModelOutput, ModelUsage
from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from rl_align import outside
from rl_align.config import config_hash
from rl_align.errors import UserError
from rl_align.eval.benchmarks import BENCHMARKS, build
from rl_align.eval.building import Benchmark
from rl_align.eval.grid.config import BenchmarkConfig, GridConfig
from rl_align.eval.grid.places import data_of, runs_of
from rl_align.eval.judge import check_apart
from rl_align.eval.rates import Rate
from rl_align.models.vocabulary import special_tokens

PICTOGRAMS = "pictograms"


class Sheet(Protocol):
    """A benchmark over some data.

    Attributes:
        task: Name of its file in `eval/tasks/`.
        asked: Item id → hash of all that the answer's record depends on of the item itself; in the order of the items.
        turns: Item id → what a model is asked.
        generation: How answers are generated.
        groups: Item id → group → value.
        harmful: Item id → whether a full answer does harm; None where unknown.
        rates: What is measured.
        known_by: The rate that it is known by.
        temperature: Of the answers.
        answers: Answers to each item.
        max_tokens: Longest answer.
        facts: What is true of every number of it: protocol, version, data with what was dropped, judges.
        settings: What answers depend on beside the items.
        judged_by: Hash of who judges and how; empty where nobody does.
        judgements: Calls of the judge for an answer, on average.
    """

    task: str
    asked: Mapping[str, str]
    turns: Mapping[str, Sequence[ChatMessage]]
    generation: GenerateConfig
    groups: Mapping[str, Mapping[str, str]]
    harmful: Mapping[str, bool | None]
    rates: tuple[Rate, ...]
    known_by: str
    temperature: float
    answers: int
    max_tokens: int
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]
    judged_by: str
    judgements: float

    async def record(self, id: str, output: ModelOutput) -> dict[str, Any]:
        """The record of an answer to an item, plain JSON with `item_id`."""
        ...

    def behind(self, rewrite: str, record: dict[str, Any]) -> dict[str, Any]:
        """The record of an answer to a prompt that a defence rewrote."""
        ...

    async def anew(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record of the same answer, judged once more."""
        ...


class Named:
    """One of `rl_align.eval.benchmarks`, through its own samples, scorer and rates."""

    def __init__(self, benchmark: Benchmark):
        self._benchmark, protocol, options = benchmark, benchmark.protocol, benchmark.options
        self.task = protocol.name
        self._samples = {str(sample.id): sample for sample in benchmark.samples}
        self.asked = {id: digest_of(sample) for id, sample in self._samples.items()}
        self.turns = {id: _turns(sample) for id, sample in self._samples.items()}
        self.generation = benchmark.config
        told = {id: sample.metadata or {} for id, sample in self._samples.items()}
        self.groups = {id: one["groups"] for id, one in told.items()}
        self.harmful = {id: one["harmful"] for id, one in told.items()}
        self.rates, self.known_by = protocol.rates, protocol.known_by
        self.temperature, self.answers, self.max_tokens = options.temperature, options.epochs, options.max_tokens
        self.facts = benchmark.facts()
        asked = {name: {k: v for k, v in facts.items() if k != "calibration"} for name, facts in benchmark.judges.items()}
        judge = benchmark.judge
        manner = {"manner": judge.manner()} if judge is not None and judge.manner() else {}
        self.judged_by = config_hash(asked | manner)[:12] if asked else ""
        questions = sum(len(one["judges"]) for one in told.values()) / len(told)
        self.judgements = questions * judge.judge.votes if judge is not None else 0.0
        self.settings = {
            "protocol": [protocol.name, protocol.version],
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
        }

    async def record(self, id: str, output: ModelOutput) -> dict[str, Any]:
        """See `Sheet`. One scorer, and so one desk for the judge, serves all cells."""
        sample, target = self._samples[id], Target(self._samples[id].target)
        turns, name = list(self.turns[id]), ModelName("none/record")
        state = TaskState(name, id, 1, turns, turns, target, output=output, metadata=sample.metadata)
        found = await self._benchmark.scorer(state, target)
        assert found is not None and found.metadata is not None
        return found.metadata["record"]

    def behind(self, rewrite: str, record: dict[str, Any]) -> dict[str, Any]:
        """As it is: the judge is told what the person asked."""
        return record

    async def anew(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """See `Sheet`. The model is not asked: its answer is in the record."""
        output = ModelOutput.from_content("record", record["text"], stop_reason=record["stop"])
        output.usage = ModelUsage(output_tokens=record["tokens"], total_tokens=record["tokens"])
        made = await self.record(record["item_id"], output)
        return {**record, **made, **{key: record[key] for key in ("epoch", "defence")}}


def digest_of(sample: Sample) -> str:
    """What tells two samples of one id apart: all that is asked, and all that the scorer is told."""
    turns = sample.input if isinstance(sample.input, str) else [_plain(turn) for turn in sample.input]
    text = json.dumps([turns, sample.metadata, sample.target], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _turns(sample: Sample) -> list[ChatMessage]:
    assert not isinstance(sample.input, str)
    return sample.input


def _plain(turn: ChatMessage) -> list[Any]:
    if isinstance(turn.content, str):
        return [turn.role, turn.content]
    return [turn.role, [[part.type, getattr(part, "text", None) or getattr(part, "image", "")] for part in turn.content]]


def sheet_of(name: str, cfg: GridConfig, folder: Path | None) -> Sheet:
    """The benchmark of a matrix.

    Args:
        name: Of the benchmark in the matrix.
        cfg: The matrix.
        folder: Hugging Face folder of the model that it is asked of, whose special tokens are neutralised; None for an endpoint.

    Raises:
        UserError: No such benchmark, data or options that cannot be used, or a judge that a model of the matrix was trained with.
    """
    chosen = cfg.benchmarks[name]
    place = data_of(chosen, cfg)
    if chosen.task == PICTOGRAMS:
        from rl_align.eval.grid.world import Pictograms

        return Pictograms.of(place, chosen.options, special_tokens(folder) if folder else {}, f"benchmarks.{name}")
    check_task(name, chosen)
    benchmark = build(chosen.task, str(place), **{**judged_by(cfg), "model_folder": folder and str(folder), **chosen.options})
    if benchmark.options.seed:
        where = f"benchmarks.{name}.options.seed"
        raise UserError("is set for one benchmark", where=where, expected="nothing here", fix="set the matrix's seeds")
    for run in runs_of(cfg) if benchmark.judge is not None else ():
        check_apart(benchmark.judge.endpoint, run, benchmark.options.allow_training_judge)
    return Named(benchmark)


def check_task(name: str, chosen: BenchmarkConfig) -> None:
    """Raises UserError when there is no such benchmark."""
    known: Sequence[str] = (PICTOGRAMS, *BENCHMARKS)
    if outside.is_outside(chosen.task):
        outside.load(chosen.task, ("benchmark",), f"benchmarks.{name}.task")
    elif chosen.task not in known:
        raise UserError(f"is {chosen.task!r}", where=f"benchmarks.{name}.task", expected=f"one of {', '.join(known)}")


def judged_by(cfg: GridConfig) -> dict[str, Any]:
    """The options that say who judges."""
    j = cfg.judge
    options = {f"judge_{key}": getattr(j, key) for key in ("base_url", "model", "api_key_env", "cache", "votes", "config")}
    options |= {"calibration": j.calibration, "allow_training_judge": j.allow_training_judge}
    return {key: value for key, value in options.items() if value is not None}
