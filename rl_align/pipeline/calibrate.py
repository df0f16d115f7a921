"""How far a judge can be believed: its verdicts on labelled cases, beside the labels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reward.judges.batch import Case, Tally, judge_all
from reward.judges.calibration import (
    Estimate,
    cohen_kappa,
    confusion,
    expected_calibration_error,
    f1,
    length_bias,
    precision,
    recall,
)
from reward.judges.config import JudgeConfig
from reward.judges.preset import Preset
from reward.judges.types import JudgeVerdict
from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig

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
        n, scored, unscored (reason → cases), accuracy (exact label), good (precision, recall, F1 of verdicts at `GOOD` or above),
        kappa (weighted where labels are ordered), ece (confidence = agreement of the votes), length_bias; each with its interval.

    Raises:
        JudgeOutage: Too many opinions have failed.
        UserError: A setting that cannot work.
    """

    async def ask() -> list[Any]:
        async with Endpoint(endpoint, "judge_endpoint") as client:
            return await judge_all(preset, [c.case for c in cases], client, judge, Tally(preset.name, judge))

    opinions = asyncio.run(ask())
    scores = [o.score if isinstance(o, JudgeVerdict) else None for o in opinions]
    truth = [preset.labels[c.label] for c in cases]
    told = confusion([None if s is None else s >= GOOD for s in scores], [t >= GOOD for t in truth])
    known = [(o, c) for o, c in zip(opinions, cases, strict=True) if isinstance(o, JudgeVerdict) and o.label]
    exact = [o.label == c.label for o, c in known]
    order = list(preset.labels) if preset.ordinal else ()
    lengths = [len(str(getattr(c.case.response, "answer", None) or c.case.response.raw)) for _, c in known]
    return {
        "preset": preset.name,
        "n": len(cases),
        "scored": len(known),
        "unscored": dict(Counter(o.reason for o in opinions if not isinstance(o, JudgeVerdict))),
        "accuracy": sum(exact) / len(exact) if exact else None,
        "good": {name: _plain(of(told)) for name, of in (("precision", precision), ("recall", recall), ("f1", f1))},
        "kappa": _plain(cohen_kappa([o.label for o, _ in known], [c.label for _, c in known], order, 1 if order else 0)),
        "ece": expected_calibration_error([o.agreement for o, _ in known], exact),
        "length_bias": _plain(length_bias([o.score for o, _ in known], [preset.labels[c.label] for _, c in known], lengths)),
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = [
        "| judge | cases | unscored | exact label | precision | recall | F1 | κ | length bias |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        good = [_shown(r["good"][name]) for name in ("precision", "recall", "f1")]
        accuracy = "–" if r["accuracy"] is None else f"{r['accuracy']:.3f}"
        unscored = sum(r["unscored"].values())
        cells = [r["preset"], r["n"], unscored, accuracy, *good, _shown(r["kappa"]), _shown(r["length_bias"])]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return asdict(estimate)


def _shown(estimate: dict[str, float | None]) -> str:
    if estimate["value"] is None:
        return "–"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
