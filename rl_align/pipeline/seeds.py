"""One experiment over several seeds: a queue of runs, one engine at a time, and a table with mean and spread.

Running the same command again skips the runs that are finished and continues the one that is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.eval.paired import lines, paired
from rl_align.pipeline.queue import RUN_COMMAND, read_summary, run_once
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_json, write_text

#: The keys of a run's configuration that tell its runs apart.
SEED_KEY, FOLDER_KEY = "seed", "folder"
#: What of summaries is compared: models, responders behind rewriters, seconds of the stages.
SECTIONS = ("models", "matrix", "timing_s")


def run_seeds(
    config_path: str | Path,
    overrides: Sequence[str],
    n: int,
    *,
    config_class: type | None = None,
    command: Sequence[str] = RUN_COMMAND,
    console: Callable[[str], None] = print,
) -> int:
    """Run an experiment with `n` seeds counted up from its own, each in `<run folder>/seed-<seed>`, and tabulate.

    Writes `seeds.json` and `seeds.md` beside them: mean, sd, min and max of every number of their summaries.

    Args:
        config_path: YAML file of the experiment.
        overrides: `key=value` settings for all runs.
        n: Number of seeds.
        config_class: The experiment's dataclass, with `seed` and `folder`; by default `pipeline.config.RunConfig`.
        command: What starts one run; gets the configuration's path and the settings.
        console: Gets a line when a run is skipped, starts and ends.

    Returns:
        0, or 1 when a run failed; the table then covers the others.

    Raises:
        UserError: The configuration is wrong, or a run says that its input is.
        Stopped: It was asked to stop.
    """
    check = None
    if config_class is None:
        from rl_align.pipeline.config import RunConfig as config_class
        from rl_align.pipeline.config import resolve as check
    config = load_config(config_class, config_path, overrides)
    root, first = Path(getattr(config, FOLDER_KEY)), getattr(config, SEED_KEY)
    for seed in range(first, first + n) if check else ():  # all of them, before hours are spent on the first
        check(load_config(config_class, config_path, [*overrides, f"{SEED_KEY}={seed}"]))
    finished: dict[int, Path] = {}
    failed: list[int] = []
    stop.forget(root)
    for number, seed in enumerate(range(first, first + n), start=1):
        folder = root / f"seed-{seed}"
        settings = [*overrides, f"{SEED_KEY}={seed}", f"{FOLDER_KEY}={json.dumps(str(folder), ensure_ascii=False)}"]
        label = f"[seed {seed}, {number}/{n}]"
        stop.obey(root, f"before {label}")
        if run_once(config_path, settings, folder, config_class, command, label, console, root):
            finished[seed] = folder
        else:
            failed.append(seed)
    if not finished:
        raise UserError("no seed finished", where=str(root), fix="see the lines above, and run the same command again")
    _write_table(root, finished, failed, console)
    return 1 if failed else 0


def aggregate(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and spread of every number that at least one summary holds.

    Args:
        summaries: Contents of `summary.json`, one a seed; what their `SECTIONS` hold is compared.

    Returns:
        The same nesting, each number replaced by {"mean", "sd", "min", "max", "n"}: sd is the sample standard
        deviation, None for a single value; n counts the summaries that hold a number there.
    """
    values: dict[tuple[str, ...], list[float]] = {}
    for summary in summaries:
        for section in SECTIONS:
            for path, value in _numbers(summary.get(section), (section,)):
                values.setdefault(path, []).append(value)
    result: dict[str, Any] = {section: {} for section in SECTIONS}
    for path, found in values.items():
        node = result
        for key in path[:-1]:
            node = node.setdefault(key, {})
        spread = stdev(found) if len(found) > 1 else None
        node[path[-1]] = {"mean": fmean(found), "sd": spread, "min": min(found), "max": max(found), "n": len(found)}
    return result


def markdown_table(aggregated: Mapping[str, Any], seeds: Sequence[int]) -> str:
    """The models' part as a Markdown table: a row a model and split, a column a metric, cells mean ± sd [min, max]."""
    lines = [f"Seeds {', '.join(map(str, seeds))}: mean ± sd [min, max]."]
    for section, corner in (("models", "model, split"), ("matrix", "responder, rewriter, split")):
        rows: dict[tuple[str, ...], dict[str, str]] = {}
        for path, cell in _cells(aggregated.get(section, {}), ()):
            rows.setdefault(path[:-1], {})[path[-1]] = _cell(cell, len(seeds))
        if not rows:
            continue
        metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
        lines += ["", "| " + " | ".join([corner, *metrics]) + " |", "|---" * (len(metrics) + 1) + "|"]
        for path, row in rows.items():
            lines.append("| " + " | ".join([", ".join(path), *(row.get(metric, "–") for metric in metrics)]) + " |")
    return "\n".join(lines) + "\n"


def _write_table(root: Path, finished: Mapping[int, Path], failed: list[int], console: Callable[[str], None]) -> None:
    summaries = [read_summary(folder) for folder in finished.values()]
    aggregated = aggregate(summaries)
    table = markdown_table(aggregated, list(finished))
    if behind := paired([folder / "eval" / "matrix" for folder in finished.values()]):
        aggregated["paired"] = behind
        table += "\n" + "\n".join(lines(behind)) + "\n"
    write_json(root / "seeds.json", {"seeds": list(finished), "failed": failed, **aggregated})
    write_text(root / "seeds.md", table)
    console(f"{table}\nwritten to {root / 'seeds.md'} and {root / 'seeds.json'}")


def _numbers(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, (*path, str(key)))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def _cells(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if set(node) == {"mean", "sd", "min", "max", "n"} and not isinstance(node["mean"], Mapping):
        yield path, node
        return
    for key, inner in node.items():
        yield from _cells(inner, (*path, key))


def _cell(cell: Mapping[str, Any], seeds: int) -> str:
    if cell["min"] == cell["max"]:
        text = f"{cell['mean']:.4g}"
    else:
        text = f"{cell['mean']:.3f} ± {cell['sd']:.3f} [{cell['min']:.3f}, {cell['max']:.3f}]"
    return text if cell["n"] == seeds else f"{text} (n = {cell['n']})"
