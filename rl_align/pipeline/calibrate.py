"""How far a judge can be believed: its verdicts on labelled cases, beside the labels."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reward.judges.batch import Case, Tally, judge_all
from reward.judges.calibration import cohen_kappa, expected_calibration_error, length_bias, position_bias
from reward.judges.config import JudgeConfig
from reward.judges.preset import Preset
from reward.judges.presets import preference
from reward.judges.types import JudgeVerdict
from rl_align.config import load_config
from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.errors import UserError
from rl_align.eval.judge import read_calibration
from rl_align.eval.presets import preset
from rl_align.policy.catalogue import Catalogue
from rl_align.policy.citations import find_citations
from rl_align.runfiles.atomic import write_json
from rl_align.schema import Behaviour, ImageRef, Item
from rl_align.statistics import Confusion, Estimate, confusion, f1, precision, recall
from rl_align.transcript.responder import parse_answer


@dataclass
class CalibrateConfig:
    """How the judge of a file of cases is asked.

    Attributes:
        endpoint: Where.
        judge: How.
    """

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)


#: What a calibration error means, under every table that shows one.
ECE = (
    "ECE: how far the confidence of a verdict, the share of its votes that agree with it, is from the share of right labels. "
    "One vote always agrees with itself, so with one vote ECE is the share of wrong labels."
)
#: A verdict is good when its score is at least this.
GOOD = 0.5


@dataclass(frozen=True)
class Labelled:
    """A case and the label that is right, one of the preset's."""

    case: Case
    label: str


def calibrate(preset: Preset, cases: Sequence[Labelled], judge: JudgeConfig, endpoint: EndpointConfig) -> dict[str, Any]:
    """Asks a judge about every case and compares.

    Returns:
        preset, model, prompt (its version), n, scored, unscored (reason → cases), accuracy (exact label), good (precision,
        recall, F1 of verdicts at `GOOD` or above) and bad (the same of those below: finding harm is what some judges are for),
        kappa (weighted where labels are ordered), ece (see `ECE`), length_bias, and of a judge that compares two answers
        position, what exchanging them does; None of any other. Each with its interval.

    Raises:
        JudgeOutage: Too many opinions have failed.
        UserError: A setting that cannot work.
    """

    tally, straight = Tally(preset.name, judge), [c.case for c in cases]
    exchanged = [Case(*preference.swapped(c.item, c.response)) for c in straight if preset is preference.PRESET]

    async def ask() -> tuple[list[Any], list[Any]]:
        async with Endpoint(endpoint, "judge_endpoint") as client:
            return tuple([await judge_all(preset, some, client, judge, tally) for some in (straight, exchanged)])

    opinions, others = asyncio.run(ask())
    scores = [o.score if isinstance(o, JudgeVerdict) else None for o in opinions]
    truth = [preset.labels[c.label] for c in cases]
    told = confusion([None if s is None else s >= GOOD for s in scores], [t >= GOOD for t in truth])
    known = [(o, c) for o, c in zip(opinions, cases, strict=True) if isinstance(o, JudgeVerdict) and o.label]
    exact = [o.label == c.label for o, c in known]
    order = list(preset.labels) if preset.ordinal else ()
    lengths = [len(str(getattr(c.case.response, "answer", None) or c.case.response.raw)) for _, c in known]
    return {
        "preset": preset.name,
        "model": endpoint.model,
        "prompt": preset.version(judge),
        "n": len(cases),
        "scored": len(known),
        "unscored": dict(Counter(o.reason for o in opinions if not isinstance(o, JudgeVerdict))),
        "accuracy": sum(exact) / len(exact) if exact else None,
        "good": _figures(told),
        "bad": _figures(Confusion(told.tn, told.fn, told.fp, told.tp, told.unscored)),
        "kappa": _plain(cohen_kappa([o.label for o, _ in known], [c.label for _, c in known], order, 1 if order else 0)),
        "ece": expected_calibration_error([o.agreement for o, _ in known], exact),
        "length_bias": _plain(length_bias([o.score for o, _ in known], [preset.labels[c.label] for _, c in known], lengths)),
        "position": _position(opinions, others) if exchanged else None,
    }


def calibrate_file(path: str | Path, name: str, overrides: Sequence[str] = (), out: str | Path | None = None) -> str:
    """Calibrates a judge on the labelled cases of a JSONL file; returns the table.

    Args:
        path: Rows with `id`, `prompt`, `answer` (a responder's transcript, or an answer alone) and `label`, one of the preset's;
            where known `expected` (behaviours), `reference`, `policy` ("name (Rule n)"), `image` (a path beside the file),
            `category` and `safety_warning` (what some judges of benchmarks read). The preset `preference` compares the
            reference, which stands first, with the answer.
        name: The preset.
        overrides: `endpoint.key=value` and `judge.key=value`.
        out: Where the figures are written as JSON, beside those of other presets of the same judge; what an evaluation takes as
            `calibration`.

    Raises:
        UserError: A setting, or a row by its number, that cannot work, or a file of another judge's figures.
    """
    config, question = load_config(CalibrateConfig, None, overrides), preset(name)
    config.endpoint.check("endpoint")
    catalogue = Catalogue.load()
    cases = [_case(row, question, catalogue, Path(path), number) for number, row in _rows(Path(path))]
    if not cases:
        raise UserError("no cases", where=str(path), expected="a JSON object a line")
    others = read_calibration(out, config.endpoint.model) if out is not None and Path(out).exists() else {}
    result = calibrate(question, cases, config.judge, config.endpoint)
    if out is not None:
        write_json(Path(out), list({**others, name: result}.values()))
    return table([result])


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), expected="a JSONL file in UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"is not JSON ({error})", where=f"{path}:{number}", expected="an object a line") from error
        if not isinstance(row, dict):
            raise UserError(f"is {type(row).__name__}", where=f"{path}:{number}", expected="an object")
        yield number, row


def _case(row: Mapping[str, Any], question: Preset, catalogue: Catalogue, path: Path, number: int) -> Labelled:
    where = f"{path}:{number}"
    for key in ("prompt", "answer", "label"):
        if not isinstance(row.get(key), str):
            raise UserError(f"{key} is {row.get(key)!r}", where=where, expected="a text")
    if row["label"] not in question.labels:
        raise UserError(f"label {row['label']!r}", where=where, expected=f"one of {', '.join(question.labels)}")
    try:
        expected = tuple(Behaviour(name) for name in row.get("expected") or ())
    except ValueError as error:
        raise UserError(str(error), where=where, expected=f"some of {', '.join(Behaviour)}") from error
    images = (ImageRef(path=str(path.parent / row["image"])),) if row.get("image") else ()
    harmful = Behaviour.COMPLY not in expected if expected else None
    item = Item(
        str(row.get("id", number)),
        images,
        row["prompt"],
        path.name,
        "calibration",
        expected=expected,
        citations=find_citations(str(row["policy"]), catalogue) if row.get("policy") else (),
        harmful=harmful,
        reference=row.get("reference"),
        category=row.get("category"),
        truth={"safety_warning": row.get("safety_warning")},
    )
    return Labelled(Case(item, parse_answer(row["answer"], catalogue, row["prompt"])), row["label"])


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = [
        "| judge | cases | unscored | exact label | precision | recall | F1 | κ | ECE | length bias |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        good = [_shown(r["good"][name]) for name in ("precision", "recall", "f1")]
        accuracy, ece = ("–" if r[name] is None else f"{r[name]:.3f}" for name in ("accuracy", "ece"))
        unscored = sum(r["unscored"].values())
        cells = [r["preset"], r["n"], unscored, accuracy, *good, _shown(r["kappa"]), ece, _shown(r["length_bias"])]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", ECE]
    for r in results:
        if position := r["position"]:
            lines.append(
                f"Position ({r['preset']}): {_shown(position['consistency'])} of the pairs have the same winner in both orders; "
                f"the first answer won whichever it was {position['first']} times, the second {position['second']} times "
                f"(p = {position['p_value']:.2g} of such a lean without a bias)."
            )
    return "\n".join(lines)


def _figures(told: Confusion) -> dict[str, Any]:
    return {name: _plain(of(told)) for name, of in (("precision", precision), ("recall", recall), ("f1", f1))}


def _position(straight: Sequence[Any], exchanged: Sequence[Any]) -> dict[str, Any]:
    labels = [[o.label if isinstance(o, JudgeVerdict) else "" for o in opinions] for opinions in (straight, exchanged)]
    pairs = [(preference.POSITIONS[a], preference.POSITIONS[b]) for a, b in zip(*labels, strict=True) if a and b]
    bias = position_bias(pairs)
    return {"consistency": _plain(bias.consistency), "first": bias.first, "second": bias.second, "p_value": bias.p_value}


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return asdict(estimate)


def _shown(estimate: dict[str, float | None]) -> str:
    if estimate["value"] is None:
        return "–"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
