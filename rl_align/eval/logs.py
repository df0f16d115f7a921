"""Records and summaries out of Inspect's logs: everything that was measured, as plain JSON, without running anything again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, read_eval_log

from rl_align.errors import UserError
from rl_align.eval.benchmarks import protocol
from rl_align.eval.rates import Record, judged_by, judges_of, summarise
from rl_align.eval.scorers.judged import NO_JUDGE

SCORER = "benchmark"


def records_of(log: EvalLog | str | Path) -> list[Record]:
    """The records of a log, in its order; samples that ended in an error have none.

    Raises:
        UserError: The log cannot be read, or holds no records.
    """
    return [record for _, record in told_of(log)]


def told_of(log: EvalLog | str | Path) -> list[tuple[Mapping[str, Any], Record]]:
    """As `records_of`, each record behind its sample's metadata (`rl_align.eval.building.sample`). Raises as `records_of`."""
    log = read_log(log)
    scored = [(sample, sample.scores.get(SCORER)) for sample in log.samples or () if sample.scores]
    scores = [(sample, score.metadata) for sample, score in scored if score is not None and score.metadata]
    found = [(sample.metadata or {}, made["record"]) for sample, made in scores if "record" in made]
    if not found:
        raise UserError("holds no records", where=log.location, expected="the log of a benchmark, with its samples")
    return found


def summary_of(log: EvalLog | str | Path) -> dict[str, Any]:
    """The summary of a log, as `rl_align.eval.building.Benchmark.summary` gives it, with the model and how many samples failed.

    Raises:
        UserError: As `records_of`.
    """
    log = read_log(log)
    made = records_of(log)
    rates = protocol(made[0]["benchmark"]).rates
    facts: Mapping[str, Any] = log.eval.metadata or {}
    judges = judges_of(made, facts.get("judges") or {})
    facts = {**facts, "judges": judges, "unscored_without_judge": _unasked(made)}
    found = judged_by(rates, summarise(rates, made), judges)
    failed = sum(sample.error is not None for sample in log.samples or ())
    return {**facts, "model": log.eval.model, "status": log.status, "failed_samples": failed, **found}


def _unasked(made: Sequence[Record]) -> list[str]:
    unasked = (preset for r in made for preset, opinion in r["judged"].items() if opinion.get("unscored") == NO_JUDGE)
    return list(dict.fromkeys(unasked))


def read_log(log: EvalLog | str | Path) -> EvalLog:
    """The log, read where it is a path. Raises UserError when it cannot be."""
    if isinstance(log, EvalLog):
        return log
    try:
        return read_eval_log(str(log))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({str(error).splitlines()[0]})", where=str(log), expected="a log of Inspect's") from error
