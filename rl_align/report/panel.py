"""The hacking panel of a run: the course of every instrument, what canaries earned, and when alarms were raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from reward.instruments import INSTRUMENTS, Instrument, instrument_of
from reward.panel import PanelConfig
from rl_align.data.untrusted import shown
from rl_align.errors import UserError
from rl_align.report.chart import line_chart
from rl_align.report.curves import Charts, by_stage, draw, points
from rl_align.report.rollouts import read_rows

CANARY, ALARM = "panel/canary/", "alarm/"

#: What the engine's own alarms say; those of the panel say what their instrument means.
ENGINE_ALARMS = {
    "correlation": "Sampler and trainer give the same tokens other probabilities: the two do not compute the same model.",
    "not_finite": "A loss, a gradient or the correlation is not a finite number: training is broken.",
}
_MEANS = {instrument.alarm: instrument.means for instrument in INSTRUMENTS.values() if instrument.alarm} | ENGINE_ALARMS

#: Stretches of steps that are written out.
MAX_STRETCHES = 12

_REFUSALS: Charts = {"refused: harmful and harmless items": (("panel/refusal_rate/*",), 0.0, 1.0)}
_CHARTS: Charts = {
    "complied with: harmful and harmless items": (("panel/compliance_rate/*",), 0.0, 1.0),
    "what canaries earn": (("panel/canary/*",), None, None),
    "citations": (("panel/citations_per_answer", "panel/citation_precision"), 0.0, None),
    "duplicates in a group": (("panel/duplicates",), 0.0, 1.0),
    "length against the beginning": (("panel/length_drift",), 0.0, None),
    "judge minus rule": (("panel/judge_gap/*",), None, None),
    "judges: share of opinions not given": (("judge/*/unscored_share",), 0.0, 1.0),
}


def read_panel(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The panel's part of a run's summary.

    Returns:
        Stage → alarm → stretches of steps `[first, last]` at which it was raised; stage → what `course` says of it, for stages
        that have a panel.

    Raises:
        UserError: The configuration is damaged.
    """
    path = folder / "metrics.jsonl"
    stages = by_stage(read_rows(path)[0]) if path.is_file() else {}
    raised = {stage: found for stage, steps in stages.items() if (found := alarms(steps))}
    panels = {stage: steps for stage, steps in stages.items() if _readings(steps)}
    cfg = thresholds(folder) if panels else None
    return raised, {stage: course(steps, cfg) for stage, steps in panels.items()}


def thresholds(folder: Path) -> PanelConfig | None:
    """The panel's part of a run's configuration; None in a folder without one.

    Raises:
        UserError: It is damaged.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        return None
    try:
        section = OmegaConf.load(path).get("panel") or {}
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(PanelConfig), section))  # type: ignore[return-value]
    except (OSError, ValueError, TypeError, AttributeError, YAMLError, OmegaConfBaseException, UserError) as error:
        problem = str(error).partition("\n")[0]
        raise UserError(f"damaged ({problem})", where=str(path), expected="the configuration of a run") from error


def alarms(steps: Sequence[Mapping[str, Any]]) -> dict[str, list[list[int]]]:
    """Alarm → stretches of consecutive steps `[first, last]` at which it was raised."""
    found: dict[str, list[list[int]]] = {}
    for row in steps:
        for name in (n.removeprefix(ALARM) for n, value in row.items() if n.startswith(ALARM) and value):
            stretches = found.setdefault(name, [])
            if stretches and stretches[-1][1] == row["step"] - 1:
                stretches[-1][1] = row["step"]
            else:
                stretches.append([row["step"], row["step"]])
    return found


def course(steps: Sequence[Mapping[str, Any]], cfg: PanelConfig | None) -> dict[str, Any]:
    """How the instruments of a stage went.

    Args:
        steps: The stage's rows of `metrics.jsonl`, in order.
        cfg: Where the alarms stand; None where that is not known.

    Returns:
        `steps` that were read; `instruments`: metric → first, last and worst value, the step of the worst, which way is worse,
        threshold (None without one), alarm and stretches at which it was raised, what it means; `canaries`: name → last and
        highest reward, threshold, stretches.
    """
    raised = alarms(steps)
    instruments, canaries = {}, {}
    for metric, instrument in _instruments(steps):
        values = points(steps, metric)
        if not values:
            continue
        alarm = instrument.alarm_of(metric)
        step, worst = max(values, key=lambda point: instrument.worse.badness(point[1]))
        limit = {"threshold": instrument.limit(cfg) if cfg else None, "raised": raised.get(alarm, []) if alarm else []}
        if metric.startswith(CANARY):
            canaries[metric.removeprefix(CANARY)] = {"last": values[-1][1], "max": worst, **limit}
            continue
        told = {"first": values[0][1], "last": values[-1][1], "worst": worst, "worst_step": int(step)}
        instruments[metric] = told | {"worse": instrument.worse.value, **limit, "alarm": alarm, "means": instrument.means}
    return {"steps": _readings(steps), "instruments": instruments, "canaries": canaries}


def alarm_lines(stage: str, raised: Mapping[str, Sequence[Sequence[int]]]) -> list[str]:
    """A sentence an alarm: where it was raised and what it means."""
    lines = []
    for name, stretches in raised.items():
        means = _MEANS.get(name) or _MEANS.get(name.partition("/")[0] + "/", "")
        lines.append(f"Alarm in {shown(stage, 60)}, {in_words(stretches)}: {shown(name, 60)}. {means}")
    return lines


def in_words(stretches: Sequence[Sequence[int]]) -> str:
    """Stretches of steps for people: "step 8", "steps 3–5, 9"."""
    told = [str(first) if first == last else f"{first}–{last}" for first, last in stretches[:MAX_STRETCHES]]
    more = len(stretches) - MAX_STRETCHES
    plural = len(stretches) > 1 or stretches[0][0] != stretches[0][1]
    return f"step{'s' * plural} {', '.join(told)}" + (f" and {more} more stretches" if more > 0 else "")


def section(steps: Sequence[Mapping[str, Any]], cfg: PanelConfig | None) -> dict[str, Any] | None:
    """What the page shows of a stage's panel; None for a stage without one."""
    if not _readings(steps):
        return None
    found = course(steps, cfg)
    return {
        "steps": found["steps"],
        "truth": "panel/truth" in found["instruments"],
        "leading": _leading(steps),
        "charts": draw(steps, _CHARTS),
        "instruments": [_row(metric, values) for metric, values in found["instruments"].items()],
        "canaries": [_row(f"{CANARY}{name}", values) | {"name": shown(name, 60)} for name, values in found["canaries"].items()],
    }


def _row(metric: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table, as shown."""
    instrument, limit = instrument_of(metric), values["threshold"]
    row = {name: f"{values[name]:.3g}" for name in ("first", "last", "worst", "max") if name in values}
    return row | {
        "name": shown(metric, 60),
        "means": values.get("means"),
        "worst_step": values.get("worst_step"),
        "limit": "–" if limit is None or instrument is None else instrument.worse.bound(limit),
        "raised": in_words(values["raised"]) if values["raised"] else "",
    }


def _leading(steps: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """What a gamed reward shows in first."""
    truth, gap = dict(points(steps, "panel/truth")), dict(points(steps, "panel/truth_gap"))
    # The reward of the texts whose truth is known: that of all texts is not what the gap was taken from.
    reward = [(step, truth[step] + gap[step]) for step in truth if step in gap]
    drawn = []
    if gap:
        series = {"reward": reward, "truth": list(truth.items()), "gap": list(gap.items())}
        drawn.append(line_chart("reward and truth, and the gap between them", {n: line for n, line in series.items() if line}))
    return drawn + draw(steps, _REFUSALS)


def _readings(steps: Sequence[Mapping[str, Any]]) -> int:
    """Steps at which the panel was read."""
    return sum(any(name.startswith("panel/") for name in row) for row in steps)


def _instruments(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, Instrument]]:
    """Metrics that an instrument reads, in the order of the instruments."""
    order = {id(instrument): k for k, instrument in enumerate(INSTRUMENTS.values())}
    names = dict.fromkeys(name for row in steps for name in row)
    found = [(name, instrument) for name in names if (instrument := instrument_of(name))]
    return sorted(found, key=lambda pair: order[id(pair[1])])
