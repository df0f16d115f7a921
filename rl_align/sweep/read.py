"""What a trial's run folder says of it: what was measured, and what training logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rl_align.pipeline.arms import columns, splits_of, value_of
from rl_align.pipeline.queue import read_summary
from rl_align.report.curves import by_stage, points
from rl_align.runfiles.atomic import read_lines
from rl_align.sweep.asha import at_step
from rl_align.sweep.config import SweepConfig

#: The section of what training logged at its end.
TRAINING = "training"


def sections(folder: Path, config: SweepConfig) -> dict[str, dict[str, float]]:
    """Section → metric → value, of a finished trial; what is unknown is left out.

    Raises:
        UserError: The summary or a line of the log is damaged.
    """
    summary = read_summary(folder)
    found = {split: _known(measures, config) for split, measures in measured(summary, config).items()}
    steps = by_stage(list(read_lines(folder / "metrics.jsonl"))).get(config.stage, []) if config.logged else []
    last = steps[-1]["step"] if steps else 0
    logged = {title: at_step(points(steps, metric), last) for title, metric in config.logged.items()}
    found[TRAINING] = {title: value for title, value in logged.items() if value is not None}
    return {section: metrics for section, metrics in found.items() if metrics}


def measured(summary: Mapping[str, Any], config: SweepConfig) -> Mapping[str, Any]:
    """Split → measures of the model, or of the cell of the matrix, that a sweep compares."""
    return splits_of({"models": {}, **summary}, config.cell or None, config.model)


def _known(measures: Mapping[str, Any], config: SweepConfig) -> dict[str, float]:
    values = {metric: value_of(measures, metric) for metric in columns(bool(config.cell))}
    return {metric: float(v) for metric, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}
