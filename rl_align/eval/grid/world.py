"""The pictogram world in the matrix: its own task and exact truth, its records in the shape that all benchmarks share.

* attack_success: harmful items that are answered with their unsafe content. Behind a rewriter complying with a legitimate request
  is none (`pictograms/rewrite_truth.py`); `attack_success_by_behaviour` takes the person's own prompt for what was asked.
* all others as `rl_align.eval.metrics` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, ModelOutput

from rl_align.config import load_config
from rl_align.data.items import read_items
from rl_align.errors import UserError
from rl_align.eval.answers import answer_of
from rl_align.eval.asking import messages
from rl_align.eval.grid.sheets import PICTOGRAMS, digest_of
from rl_align.eval.metrics import CASES
from rl_align.eval.rates import Rate, Record
from rl_align.eval.records import record
from rl_align.eval.scorers.refusal import read_refusal
from rl_align.models.vocabulary import vision_bias
from rl_align.pictograms.rewrite_truth import judge_rewritten
from rl_align.pictograms.truth import Outcome, judge
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item
from rl_align.transcript.responder import parse_response

#: Raised whenever the same answers would give other numbers.
VERSION = 2
ATTACK = "attack_success"


@dataclass
class WorldOptions:
    """What the benchmark takes.

    Attributes:
        limit: Most items, as many of each cell of the world as there are; 0 means all.
        max_tokens: Longest answer.
        temperature: 0 is greedy.
        answers: Answers to each item.
    """

    limit: int = 0
    max_tokens: int = 160
    temperature: float = 0.0
    answers: int = 1

    def __post_init__(self) -> None:
        if self.limit < 0 or self.max_tokens < 1 or self.temperature < 0 or self.answers < 1:
            raise ValueError("limit and temperature are 0 or more, max_tokens and answers 1 or more")
        if self.answers > 1 and self.temperature == 0:
            raise ValueError(f"{self.answers} greedy answers are one answer; expected a temperature above 0")


def _rate(name: str, case: Callable[[Outcome], bool], counts: Callable[[Outcome], bool]) -> Rate:
    return Rate(name, lambda r: counts(_outcome(r)), lambda r: case(_outcome(r)))


def _outcome(record: Record) -> Outcome:
    return Outcome(**record["outcome"])


def _attacked(record: Record) -> bool:
    told = record.get("rewritten")
    return bool(told["attack_success"] if told is not None else record["outcome"]["attack_success"])


RATES: tuple[Rate, ...] = (
    Rate(ATTACK, _attacked, lambda r: _outcome(r).harmful),
    *(_rate(name if name != ATTACK else f"{ATTACK}_by_behaviour", *definition) for name, definition in CASES.items()),
)


class Pictograms:
    """See `Sheet`."""

    task, known_by, judged_by, judgements = PICTOGRAMS, ATTACK, "", 0.0
    rates = RATES

    def __init__(self, items: Sequence[Item], options: WorldOptions, tokens: dict[str, int], left_out: int = 0):
        self._items, self._catalogue = {item.id: item for item in items}, Catalogue.load()
        self.turns = {item.id: messages(item, tokens) for item in items}
        config = {"max_tokens": options.max_tokens, "temperature": options.temperature}
        self.generation = GenerateConfig(**config, logit_bias=vision_bias(tokens) or None)
        truths = {item.id: [str(item.harmful), item.truth, sorted(map(str, item.citations))] for item in items}
        self.asked = {id: digest_of(Sample(input=turns, metadata={"truth": truths[id]})) for id, turns in self.turns.items()}
        self.groups = {item.id: {"cell": str(item.truth["cell"]), "split": item.split} for item in items}
        self.harmful = {item.id: item.harmful for item in items}
        self.temperature, self.answers, self.max_tokens = options.temperature, options.answers, options.max_tokens
        data = {"items": len(items), "dropped": {}, "left_out": {"beyond the limit": left_out} if left_out else {}}
        self.facts: Mapping[str, Any] = {"benchmark": PICTOGRAMS, "version": VERSION, "data": data, "judges": {}}
        kept = {"max_tokens": options.max_tokens, "temperature": options.temperature}
        self.settings: Mapping[str, Any] = {"protocol": [PICTOGRAMS, VERSION], **kept}

    @classmethod
    def of(cls, place: Path, given: Mapping[str, Any], tokens: dict[str, int], where: str) -> Pictograms:
        """From a parquet file of items. Raises UserError for a file or options that cannot be used."""
        try:
            options = load_config(WorldOptions, None, [f"{key}={value}" for key, value in given.items()])
        except UserError as error:
            raise UserError(f"{error}", where=f"{where}.options") from error
        items = read_items(place)
        if strange := next((item for item in items if "cell" not in item.truth or "is_twin" not in item.truth), None):
            raise UserError(
                f"{strange.id} is no item of the pictogram world", where=str(place), fix="name the benchmark's own task"
            )
        chosen = by_cells(items, options.limit)
        return cls(chosen, options, tokens, len(items) - len(chosen))

    async def record(self, id: str, output: ModelOutput) -> dict[str, Any]:
        """See `Sheet`. A row of the pictogram task, with the keys of `rl_align.eval.scorers.record`."""
        item = self._items[id]
        response = parse_response(output.completion, self._catalogue, prompt=item.prompt)
        tokens = output.usage.output_tokens if output.usage else 0
        row = record(item, response, judge(item, response), tokens=tokens, stop=str(output.stop_reason))
        text = output.completion.encode("utf-8", "replace").decode("utf-8")
        answer = answer_of(text)
        return {
            "benchmark": PICTOGRAMS,
            "version": VERSION,
            "dataset": item.dataset,
            "split": item.split,
            "category": item.category,
            "groups": dict(self.groups[item.id]),
            "harmful": item.harmful,
            "expected": [str(behaviour) for behaviour in item.expected],
            **row,
            "text": text,
            "answer": answer.text,
            "form": answer.form,
            "empty": not answer.text,
            "truncated": row["stop"] == "max_tokens",
            **read_refusal(answer, item.prompt),
            "judges": [],
            "judged": {},
            "judge_model": None,
        }

    def behind(self, rewrite: str, record: dict[str, Any]) -> dict[str, Any]:
        """The record of an answer to a rewritten prompt: what was really asked for decides whether complying does harm."""
        response = parse_response(record["text"], prompt=rewrite)
        told = judge_rewritten(self._items[record["item_id"]], rewrite, response)
        read = {"behaviour": response.behaviour and response.behaviour.value, "outcome": asdict(told.outcome)}
        return {**record, **read, "rewrite": rewrite, "rewritten": {**asdict(told), "outcome": None}}

    async def anew(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """As it is: the world's truth does not change."""
        return dict(record)


def by_cells(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` items, the cells of the world in turn, so that the rare ones stay; 0 means all. In the order of the items."""
    if not limit or limit >= len(items):
        return list(items)
    cells: dict[str, list[Item]] = {}
    for item in items:
        cells.setdefault(str(item.truth["cell"]), []).append(item)
    turns = (rows[k] for k in range(max(map(len, cells.values()))) for rows in cells.values() if k < len(rows))
    chosen = {item.id for item, _ in zip(turns, range(limit), strict=False)}
    return [item for item in items if item.id in chosen]
