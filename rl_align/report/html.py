"""`report.html`: one self-contained page about a run. It holds no script and loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rl_align.data.untrusted import picture, picture_file, shown
from rl_align.errors import UserError
from rl_align.eval.metrics import MATRIX_METRICS, METRICS
from rl_align.eval.run import GREEDY, SAMPLED
from rl_align.report.console import heading, percent
from rl_align.report.curves import by_stage, charts, step_times
from rl_align.report.mistakes import load_mistakes
from rl_align.report.panel import alarm_lines, alarms, section, thresholds
from rl_align.report.rollouts import Rollouts, load_rollouts, read_rows, rollout_folders
from rl_align.report.summary import read_matrix, read_results
from rl_align.runfiles.atomic import write_text

REPORT = "report.html"

_KINDS = {GREEDY: "Greedy", SAMPLED: "Sampled at the training temperature"}


def write_html(folder: Path | str) -> Path:
    """Writes the report of a run folder from what it holds; what is missing is left out.

    Reads `summary.json`, `config.yaml`, `eval/`, `metrics.jsonl`, `rollouts/` and, for pictures of held-out items, `data/`.

    Returns:
        The path of the page.

    Raises:
        UserError: No summary, or a damaged file.
    """
    folder = Path(folder)
    path = folder / REPORT
    environment = Environment(
        loader=PackageLoader("rl_align.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    write_text(path, environment.get_template("report.html.j2").render(**content(folder)))
    return path


def content(folder: Path) -> dict[str, Any]:
    """Everything that the page's template shows."""
    summary = _summary(folder)
    results = read_results(folder)
    metrics = folder / "metrics.jsonl"
    rows, damaged = read_rows(metrics) if metrics.is_file() else ([], 0)
    stages, limits = by_stage(rows), thresholds(folder)
    places = rollout_folders(folder)
    rollouts = {stage: load_rollouts(place) for stage, place in places.items()}
    return {
        "name": folder.resolve().name,
        "summary": summary,
        "lineage": summary["lineage"],
        "seconds": sum(summary["timing_s"].values()),
        "tables": tables(results),
        "titles": [heading(m) for m in METRICS],
        "matrix": matrix_rows(read_matrix(folder)),
        "matrix_titles": [heading(m) for m in MATRIX_METRICS],
        "stages": {stage: {"charts": charts(steps), "times": step_times(steps)} for stage, steps in stages.items()},
        "ready": {s: next((r["time/ready"] for r in reversed(steps) if "time/ready" in r), None) for s, steps in stages.items()},
        "alarms": {stage: alarm_lines(stage, alarms(steps)) for stage, steps in stages.items()},
        "panels": {stage: section(steps, limits) for stage, steps in stages.items()},
        "damaged": damaged + sum(found.damaged for found in rollouts.values()),
        "rollouts": {stage: found for stage, found in rollouts.items() if found.files},
        "stretches": {stage: _cards(places[stage], found) for stage, found in rollouts.items()},
        "mistakes": _mistakes(folder, results),
    }


def tables(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One table a split and kind of pass: models × metrics with their intervals, as shown."""
    drawn = []
    for split in dict.fromkeys(s for table in results.values() for s in table):
        for kind, title in _KINDS.items():
            found = {model: table[split][kind] for model, table in results.items() if kind in table.get(split, {})}
            if not found:
                continue
            first = next(iter(found.values()))
            drawn.append(
                {
                    "split": split,
                    "title": title,
                    "kind": kind,
                    "cases": f"{first['n_harmful']} harmful, {first['n_benign']} benign, {first['n_twins']} of them look-alikes",
                    "rows": {
                        model: [(percent(m[name]), *(percent(x) for x in m["intervals"][name])) for name in METRICS]
                        for model, m in found.items()
                    },
                }
            )
    return drawn


def matrix_rows(matrix: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One table a split: responder behind rewriter → cells as shown."""
    tables: dict[str, dict[str, Any]] = {}
    for responder, row in matrix.items():
        for rewriter, splits in row.items():
            for split, measures in splits.items():
                cases = f"{measures['n_harmful']} harmful, {measures['n_benign']} benign"
                table = tables.setdefault(split, {"split": split, "cases": cases, "rows": {}})
                table["rows"][f"{responder} behind {rewriter}"] = [percent(measures[name]) for name in MATRIX_METRICS]
    return list(tables.values())


def lineage_rows(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Models and rows: where, by which stage, content, and what each was made from, as shown."""
    return [
        {
            "folder": shown(name, 200),
            "stage": shown(node["stage"], 60),
            "hash": shown(node["hash"][:12]),
            "parents": [
                {
                    "role": shown(parent["role"], 20),
                    "folder": shown(parent["folder"], 200),
                    "stage": shown(parent["stage"], 60),
                    "hash": shown(parent["hash"][:12]),
                    "note": {True: "", False: "made anew since", None: "not of a run"}[parent["same"]],
                }
                for parent in node["from"]
            ],
        }
        for name, node in made.items()
    ]


def _cards(folder: Path, rollouts: Rollouts) -> dict[str, list[dict[str, Any]]]:
    return {
        title: [
            {
                "head": f"reward {row['reward']:.3f}",
                "facts": _facts(row),
                "scores": {
                    shown(name, 40): "unscored" if value is None else f"{value:.2f}"
                    for name, value in (row.get("breakdown") or {}).items()
                },
                "prompt": shown(row.get("prompt"), 400),
                "text": shown(row.get("text")),
                "picture": picture_file(folder, row.get("image")),
            }
            for row in rows
        ]
        for title, rows in rollouts.stretches.items()
    }


def _facts(row: Mapping[str, Any]) -> str:
    facts = [f"step {row.get('step')}", str(row.get("item_id")), f"status {row.get('status')}", f"{row.get('tokens')} tokens"]
    if isinstance(row.get("advantage"), (int, float)):
        facts.append(f"advantage {row['advantage']:+.2f}")
    if row.get("gate"):
        facts.append(f"gate {row['gate']}")
    if row.get("kept") is False:
        facts.append("left out of the loss")
    return shown(" · ".join(facts), 300)


def _mistakes(folder: Path, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The last model's mistakes on every split."""
    model = list(results)[-1] if results else None
    found = []
    for split in results.get(model, {}):
        counts, examples = load_mistakes(folder, model, split)
        cards = [
            {
                "head": e["kind"],
                "facts": shown(f"{e['item_id']} · expected {e.get('expected', '?')} · applies: {e.get('right', '?')}", 300),
                "scores": {},
                "prompt": shown(e["prompt"], 400),
                "text": shown(e["text"]),
                "picture": picture(e["data"]),
            }
            for e in examples
        ]
        found.append({"model": model, "split": split, "counts": counts, "cards": cards})
    return found


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    fix = f"run `rl-align report {folder}`"
    try:
        summary = json.loads(path.read_bytes())
        known = {key: summary[key] for key in ("models", "timing_s", "seed", "versions")}
        return known | {"lineage": lineage_rows(summary.get("lineage", {}))}
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(path), fix=fix) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError("the summary is damaged", where=str(path), fix=fix) from error
