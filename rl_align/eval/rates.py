"""From the records of answers to numbers with their intervals: overall, and cut by the groups of a benchmark. Pure.

A rate says which records are cases and what each of them counts. A case without an opinion (its judge failed, or there was none to
ask) is unscored: in no numerator, in no denominator, counted apart.

A record is what `rl_align.eval.scorers.record` writes, one JSON object an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rl_align.statistics import Estimate, average, share, stratified

Record = Mapping[str, Any]
#: Whether a record counts; a number in [0, 1] where a rate is a mean; None without an opinion.
Counts = Callable[[Record], bool | float | None]
Case = Callable[[Record], bool]


def every(record: Record) -> bool:
    """All records are cases."""
    return True


def answered(record: Record) -> bool:
    """There is an answer to look at."""
    return not record["empty"]


@dataclass(frozen=True)
class Rate:
    """One number over a set of records.

    Attributes:
        name: In results.
        counts: What a case counts.
        case: Which records are cases.
        judges: Presets that it rests on: their figures stand beside the number.
        mean: Whether cases count numbers, and not yes or no.
        folded: Whether it is taken over the items, the answers to each of them folded into one, and not over the answers.
        over: A group: the rate is the plain mean of the shares of its values, however many cases each of them has.
    """

    name: str
    counts: Counts
    case: Case = every
    judges: tuple[str, ...] = ()
    mean: bool = False
    folded: bool = False
    over: str | None = None


def estimate(rate: Rate, records: Iterable[Record]) -> dict[str, Any]:
    """The rate over these records.

    Returns:
        value (None without scored cases: unknown, not 0), low, high (its 95 % interval), n (scored cases), unscored (cases without
        an opinion).
    """
    cases = [record for record in records if rate.case(record)]
    scored = [(record, float(value)) for record in cases if (value := rate.counts(record)) is not None]
    found = _estimate(rate, scored)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": len(scored),
        "unscored": len(cases) - len(scored),
    }


def _estimate(rate: Rate, scored: Sequence[tuple[Record, float]]) -> Estimate:
    if rate.mean:
        return average([value for _, value in scored])
    if rate.over is None:
        return share(round(sum(value for _, value in scored)), len(scored))
    strata: dict[str, list[float]] = {}
    for record, value in scored:
        strata.setdefault(record["groups"][rate.over], []).append(value)
    return stratified([(round(sum(values)), len(values)) for values in strata.values()])


def counted(records: Sequence[Record]) -> dict[str, int]:
    """What every benchmark counts, whatever it measures.

    Returns:
        answers; empty (nothing to judge) and of these no_answer_section (a transcript without its answer); truncated, too_long and
        filtered (why generation ended: token limit, prompt beyond the model's length, the endpoint's filter); full_refusals,
        partial_refusals and fake_refusals (by the rules; empty answers are none); unscored/<preset>/<reason>.
    """
    table = {
        "answers": len(records),
        "empty": sum(r["empty"] for r in records),
        "no_answer_section": sum(r["empty"] and bool(r["text"].strip()) for r in records),
        "truncated": sum(r["truncated"] for r in records),
        "too_long": sum(r["stop"] == "model_length" for r in records),
        "filtered": sum(r["stop"] == "content_filter" for r in records),
        "full_refusals": sum(r["refusal"] == "full" for r in records),
        "partial_refusals": sum(r["refusal"] == "partial" for r in records),
        "fake_refusals": sum(r["fake_refusal"] for r in records),
    }
    failed = Counter(
        f"unscored/{preset}/{opinion['unscored']}"
        for r in records
        for preset, opinion in r["judged"].items()
        if "unscored" in opinion
    )
    return table | dict(sorted(failed.items()))


def measure(rates: Sequence[Rate], records: Sequence[Record]) -> dict[str, Any]:
    """`{"counts": …, "metrics": {rate: estimate}}` over these records; folded rates over one record an item."""
    folded = fold(records) if any(rate.folded for rate in rates) else []
    metrics = {rate.name: estimate(rate, folded if rate.folded else records) for rate in rates}
    return {"counts": counted(records), "metrics": metrics}


def summarise(rates: Sequence[Rate], records: Sequence[Record]) -> dict[str, Any]:
    """As `measure`, and `by`: group → its value → the same over the records of this value."""
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        for group, value in record["groups"].items():
            groups.setdefault(group, {}).setdefault(value, []).append(record)
    cut = {
        group: {value: measure(rates, rows) for value, rows in sorted(values.items())} for group, values in sorted(groups.items())
    }
    return {**measure(rates, records), "by": cut}


def judged_by(rates: Sequence[Rate], found: dict[str, Any], judges: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Puts beside every metric that rests on judges what is known of them (`judges`: preset, model, prompt, votes, calibration)."""
    for rate in rates:
        if rate.judges:
            found["metrics"][rate.name]["judges"] = [dict(judges[name]) for name in rate.judges if name in judges]
    return found


def judges_of(records: Iterable[Record], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Preset → what is known of the judge that these records name: another one than is configured now may have judged them.

    Args:
        records: Of answers.
        known: Preset → what is known of the judge that is configured.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for record in records:
        for preset, opinion in record["judged"].items():
            if preset in found or "prompt" not in opinion:
                continue
            asked = {"preset": preset, "model": record["judge_model"], "prompt": opinion["prompt"]}
            same = asked.items() <= known.get(preset, {}).items()
            found[preset] = known[preset] if same else {**asked, "votes": None, "calibration": None}
    return found


def fold(records: Iterable[Record]) -> list[dict[str, Any]]:
    """One record an item: of several answers to it, what most of them are, each judgement by itself.

    Answers without an opinion have no vote. Equally frequent labels give the one with the lower score: it is the less favourable
    one. Whether there is an answer at all goes by the majority, too; a tie is no answer.
    """
    items: dict[str, list[Record]] = {}
    for record in records:
        items.setdefault(record["item_id"], []).append(record)
    return [_folded(rows) if len(rows) > 1 else dict(rows[0]) for rows in items.values()]


def _folded(rows: Sequence[Record]) -> dict[str, Any]:
    empty = sum(r["empty"] for r in rows) * 2 >= len(rows)
    presets = dict.fromkeys(preset for r in rows for preset in r["judged"])
    judged = {preset: _majority([r["judged"][preset] for r in rows if preset in r["judged"]]) for preset in presets}
    return {**rows[0], "empty": empty, "judged": judged}


def _majority(opinions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    voted = [o for o in opinions if "unscored" not in o]
    if not voted:
        return opinions[0]
    counts = Counter(o["label"] for o in voted)
    most = [o for o in voted if counts[o["label"]] == max(counts.values())]
    return min(most, key=lambda o: o["score"])
