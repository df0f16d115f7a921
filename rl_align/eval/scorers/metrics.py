"""The rates of a benchmark as Inspect's metrics, over the records in the scores; every answer counts, however many an item has.

Four metrics, which its viewer shows apart: the rates, their intervals and cases, the same by group, and what is counted in any
case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inspect_ai.scorer import Metric, SampleScore, metric

from rl_align.eval.benchmarks import protocol
from rl_align.eval.rates import Record, measure, summarise


@metric(scores="unreduced")
def rates() -> Metric:
    """Rate → value. A rate without scored cases is not there: unknown, not 0."""

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        return {name: rate["value"] for name, rate in _measured(_records(scores)).items() if rate["value"] is not None}

    return compute


@metric(scores="unreduced")
def intervals(judges: dict[str, Any] | None = None) -> Metric:
    """`<rate>/low`, `/high` (95 %), `/n` (scored cases), `/unscored`.

    Where the judge was calibrated, `<rate>/<preset>_accuracy` and `_kappa` say how far it agrees with people.

    Args:
        judges: Preset → what stands beside its numbers (`EvalJudge.facts`).
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        records = _records(scores)
        table = {
            f"{name}/{key}": rate[key] for name, rate in _measured(records).items() for key in ("low", "high", "n", "unscored")
        }
        for rate in protocol(records[0]["benchmark"]).rates if records else ():
            for preset in rate.judges:
                found = ((judges or {}).get(preset) or {}).get("calibration")
                table |= {f"{rate.name}/{preset}_{key}": value for key, value in _figures(found)}
        return table

    return compute


@metric(scores="unreduced")
def groups() -> Metric:
    """`<headline rate>@<group>=<value>` and its `/n`."""

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        records, table = _records(scores), {}
        headline = protocol(records[0]["benchmark"]).headline if records else None
        found = summarise((headline,), records)["by"] if headline else {}
        for group, values in found.items():
            for value, part in values.items():
                place, rate = f"{headline.name}@{group}={value}", part["metrics"][headline.name]
                table |= {place: rate["value"]} if rate["value"] is not None else {}
                table[f"{place}/n"] = rate["n"]
        return table

    return compute


@metric(scores="unreduced")
def counts() -> Metric:
    """`count/…` as `rl_align.eval.rates.counted` has them: empty answers, truncations, refusals by degree, judgements that
    failed.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        records = _records(scores)
        found = measure((), records)["counts"] if records else {}
        return {f"count/{name}": count for name, count in found.items()}

    return compute


def _records(scores: list[SampleScore]) -> list[Record]:
    return [s.score.metadata["record"] for s in scores if s.score.metadata and "record" in s.score.metadata]


def _measured(records: list[Record]) -> Mapping[str, Mapping[str, Any]]:
    return measure(protocol(records[0]["benchmark"]).rates, records)["metrics"] if records else {}


def _figures(found: Mapping[str, Any] | None) -> Iterator[tuple[str, float]]:
    if found:
        values = {"accuracy": found["accuracy"], "kappa": found["kappa"]["value"]}
        yield from ((key, value) for key, value in values.items() if value is not None)
