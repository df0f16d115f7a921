"""From items and a protocol to an Inspect task. The task's solver is a plain question, so any defence can take its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inspect_ai import Task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig, Model
from inspect_ai.scorer import Metric, Scorer
from rich.markup import escape

from rl_align.errors import UserError
from rl_align.eval.asking import ask, messages
from rl_align.eval.benchmark_items import Loaded, load_items
from rl_align.eval.benchmarks import remember
from rl_align.eval.judge import EvalJudge, check_version, judge_from
from rl_align.eval.options import Options, options_of
from rl_align.eval.presets import answer_safety, preset
from rl_align.eval.protocol import Protocol
from rl_align.eval.rates import Record, judged_by, summarise
from rl_align.eval.scorers.benchmark import Judging, Told
from rl_align.eval.scorers.benchmark import benchmark as scorer_of
from rl_align.eval.scorers.metrics import counts, groups, intervals, rates
from rl_align.models.vocabulary import special_tokens, vision_bias
from rl_align.schema import Item

log = logging.getLogger("rl_align.eval")

#: The preset that `safety_judge` replaces.
HARM = answer_safety.PRESET.name

#: `-T splits=all` asks the splits that a benchmark leaves out by default.
ALL = "all"


class BadTask(UserError, PrerequisiteError):
    """A UserError that Inspect's command line shows as one line, too."""

    def __init__(self, error: UserError):
        Exception.__init__(self, str(error))
        self.message = escape(str(error))


@dataclass(frozen=True)
class Benchmark:
    """A benchmark over some data, ready to be asked of any model behind any defence.

    Attributes:
        protocol: What is measured.
        samples: What is asked. `input` holds all that a defence may see; `metadata` what the scorer needs (see `sample`).
        scorer: Makes the record of every answer (`rl_align.eval.scorers.record`), as metadata of its score.
        metrics: Inspect's metrics over the records.
        options: What was asked for.
        loaded: The items, and what became of all others.
        judges: Preset → what stands beside its numbers; empty without a judge.
        unscored: Presets that have a question and nobody to ask.
        config: How answers are generated.
        judge: Who judges; None for nobody.
    """

    protocol: Protocol
    samples: list[Sample]
    scorer: Scorer
    metrics: list[Metric]
    options: Options
    loaded: Loaded
    judges: Mapping[str, Mapping[str, Any]]
    unscored: list[str]
    config: GenerateConfig
    judge: EvalJudge | None = None

    def task(self, *, model: Model | None = None, name: str | None = None) -> Task:
        """The Inspect task. Raises nothing that building has not raised.

        Args:
            model: The model, when the task is bound to one.
            name: Shown in Inspect's logs; the protocol's by default.
        """
        measured = bool(self.judges) or not self.protocol.headline.judges
        return Task(
            dataset=MemoryDataset(list(self.samples), name=self.protocol.name),
            solver=ask(self.options.seed if self.options.temperature > 0 else None),
            scorer=self.scorer,
            metrics=list(self.metrics),
            config=self.config,
            model=model,
            epochs=self.options.epochs,
            name=name or self.protocol.name.replace("/", "_"),
            version=self.protocol.version,
            metadata=self.facts(),
            headline_metric=HeadlineMetric(metric=self.protocol.known_by) if measured else None,
        )

    def facts(self) -> dict[str, Any]:
        """What is true of every number of it: protocol, data with what was dropped, judges."""
        return {
            "benchmark": self.protocol.name,
            "version": self.protocol.version,
            "data": self.loaded.facts(),
            "judges": {name: dict(facts) for name, facts in self.judges.items()},
            "unscored_without_judge": list(self.unscored),
        }

    def listen(self, told: Told) -> None:
        """Has every new record told, such as to a `Recorder`, which keeps one an item: not for several epochs.

        To go on where records are missing: `dataclasses.replace(benchmark, samples=[…])`.
        """
        assert isinstance(self.scorer, Judging)
        self.scorer.told = told

    def summary(self, records: Sequence[Record]) -> dict[str, Any]:
        """The numbers of these records: `facts`, counts, metrics and the same by group; pure, as plain JSON.

        Returns:
            As `rl_align.eval.rates.summarise`; every metric that rests on a judge has its `judges`: preset, model, version of the
            prompt, votes and calibration (null where nothing is known of it).
        """
        found = summarise(self.protocol.rates, records)
        return {**self.facts(), **judged_by(self.protocol.rates, found, self.judges)}


def benchmark_of(
    protocol: Protocol,
    data: str,
    given: Mapping[str, Any],
    *,
    keep: Callable[[Item], bool] = lambda item: True,
    asked: Callable[[Item], Item] = lambda item: item,
    judged: Callable[[Item], Item] = lambda item: item,
    judges: Callable[[Item], Sequence[str]] | None = None,
    source_options: Mapping[str, Any] | None = None,
) -> Benchmark:
    """The benchmark of a protocol over some data.

    Args:
        protocol: What is measured.
        data: Folder of a local copy, or a dataset.
        given: Arguments for `Options`.
        keep: Which items are asked.
        asked: Item → what the model is asked.
        judged: Item → what the judge is told of it.
        judges: Item → presets that have a question, instead of the protocol's.
        source_options: What the source's loader takes.

    Raises:
        UserError: Data or options that cannot be used, or a judge that must not be.
    """
    options = options_of(given)
    judge = judge_from(options)
    remember(protocol)
    loaded = load_items(
        protocol.source,
        data,
        splits=() if options.splits == [ALL] else options.splits or protocol.splits,
        keep=keep,
        limit=options.limit,
        pixels=options.image_pixels,
        options=source_options,
    )
    tokens = special_tokens(options.model_folder) if options.model_folder else {}
    samples = []
    for item in loaded.items:
        names = [options.safety_judge if name == HARM else name for name in (judges or protocol.judges)(item)]
        samples.append(sample(judged(item), asked(item), protocol, names, tokens, options.system_message))
    used = {name: preset(name) for name in dict.fromkeys(name for s in samples for name in s.metadata["judges"])}
    for one in used.values() if judge is not None else ():
        check_version(one, judge)
    if judge is None and used:
        log.warning("%s: no judge is configured (judge_base_url, judge_model): %s stay unscored", protocol.name, ", ".join(used))
    facts = {name: judge.facts(one) for name, one in used.items()} if judge is not None else {}
    return Benchmark(
        protocol,
        samples,
        scorer_of(judge.plain() if judge is not None else None),
        [rates(), intervals(facts), groups(), counts()],
        options,
        loaded,
        facts,
        [] if judge is not None else list(used),
        GenerateConfig(temperature=options.temperature, max_tokens=options.max_tokens, logit_bias=vision_bias(tokens) or None),
        judge,
    )


def sample(
    item: Item, asked: Item, protocol: Protocol, judges: Sequence[str], tokens: Mapping[str, int], system: str | None
) -> Sample:
    """One sample.

    Its metadata, plain JSON without pictures: benchmark, version; item_id, dataset, split, category, groups, harmful, expected,
    modality of the item; prompt (what the person wants, as a judge is shown it), reference, truth (whatever else the source tells,
    such as safety_warning); judges (presets that have a question); reads and right (how an answer is read, what is right).

    Args:
        item: The item, as the judge may know it.
        asked: What the model is asked: the same, or a form of it.
        protocol: The benchmark.
        judges: Presets that have a question about it.
        tokens: Special tokens of the model.
        system: The system message.
    """
    read = protocol.reads(item)
    return Sample(
        id=item.id,
        input=messages(replace(asked, prompt=asked.prompt + protocol.suffix(item)), tokens, system),
        target=_target(item, read),
        metadata={
            "benchmark": protocol.name,
            "version": protocol.version,
            "item_id": item.id,
            "dataset": item.dataset,
            "split": item.split,
            "category": item.category,
            "groups": dict(protocol.groups(item)),
            "harmful": item.harmful,
            "expected": [str(behaviour) for behaviour in item.expected],
            "modality": str(item.modality),
            "prompt": item.prompt,
            "reference": item.reference,
            "truth": dict(item.truth),
            "judges": list(judges),
            "reads": read[0] if read else None,
            "right": dict(read[1]) if read else None,
        },
    )


def _target(item: Item, read: tuple[str, Mapping[str, Any]] | None) -> str:
    if read is not None:
        right = read[1].get("answer", read[1].get("answers"))
        return ", ".join(map(str, right)) if isinstance(right, (list, tuple)) else str(right)
    return " or ".join(str(behaviour) for behaviour in item.expected)


def made(build: Callable[[], Benchmark]) -> Task:
    """The task of a benchmark. Raises BadTask where the benchmark raises UserError."""
    try:
        return build().task()
    except UserError as error:
        raise BadTask(error) from error
