"""Arms of one experiment that differ in a few settings, each over the same seeds: what the difference makes, with its spread.

Runs of one seed share every stage that is the same for them (`RunConfig.reuse`): the world, the model, the warm start. Running the
same command again skips what is finished.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.eval.matrix import NO_REWRITER
from rl_align.eval.metrics import MATRIX_METRICS, METRICS
from rl_align.pipeline.queue import RUN_COMMAND, read_summary, run_once
from rl_align.report.console import heading
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import read_lines, write_json, write_text

#: The stage whose curves are drawn, and the model that arms are compared by.
STAGE = MODEL = "grpo"
#: What all arms start from; shown once.
START = "sft"

#: Arm → seed → run folder.
Runs = Mapping[str, Mapping[int, Path]]


@dataclass
class AblationConfig:
    """An ablation.

    Attributes:
        experiment: YAML file that the arms share, relative to the ablation's.
        folder: Gets `<arm>/seed-<seed>` run folders, the tables and the figure.
        seed: The first seed.
        seeds: How many.
        settings: `key=value` of all arms.
        arms: Name → `key=value` of that arm. The first one is what the others are compared with.
        reuse: Other run folders, with `{seed}` for the seed: stages that are the same are taken over from there too.
        cells: Arm → [responder, rewriter]: the cell of its runs' matrix that is compared, where arms are about both; then every arm
            has one, and what they start from is the responder "sft" behind no rewriter.
        stage: The training stage whose curves are drawn.
        curves: Title → metric of the training steps (`metrics.jsonl`) that is drawn, one line an arm.

    Raises:
        ValueError: Fewer than two arms or no seeds.
    """

    experiment: str = ""
    folder: str = "runs/ablation"
    seed: int = 0
    seeds: int = 3
    settings: list[str] = field(default_factory=list)
    arms: dict[str, list[str]] = field(default_factory=dict)
    reuse: list[str] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    stage: str = "grpo"
    curves: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; expected 1 or more")
        if len(self.arms) < 2:
            raise ValueError(f"{len(self.arms)} arms; an ablation compares two or more")
        if self.cells and (set(self.cells) != set(self.arms) or any(len(cell) != 2 for cell in self.cells.values())):
            raise ValueError("cells names other arms than there are, or not [responder, rewriter] for each")


def ablate(
    config_path: str | Path,
    overrides: Sequence[str] = (),
    *,
    dry_run: bool = False,
    config_class: type | None = None,
    command: Sequence[str] = RUN_COMMAND,
    console: Callable[[str], None] = print,
) -> int:
    """Runs every arm with every seed, one at a time, and writes `ablation.json`, `ablation.md` and `ablation.png`.

    Args:
        config_path: YAML file of the ablation.
        overrides: `key=value` settings of the ablation itself.
        dry_run: Say which runs there are, and start nothing.
        config_class: The experiment's dataclass; by default `pipeline.config.RunConfig`.
        command: What starts one run.
        console: Gets the lines.

    Returns:
        0, or 1 when a run failed; the tables then cover the others.

    Raises:
        UserError: A configuration is wrong, or a run says that its input is.
        Stopped: It was asked to stop.
    """
    check = None
    if config_class is None:
        from rl_align.pipeline.config import RunConfig as config_class
        from rl_align.pipeline.config import resolve as check
    config = load_config(AblationConfig, config_path, overrides)
    experiment = Path(config_path).parent / config.experiment
    if not experiment.is_file():
        raise UserError("no such file", where=f"{config_path}: experiment: {config.experiment}", expected="a YAML file")
    seeds = range(config.seed, config.seed + config.seeds)
    folders = {arm: {seed: Path(config.folder) / arm / f"seed-{seed}" for seed in seeds} for arm in config.arms}
    queue = [(seed, arm) for seed in seeds for arm in config.arms]
    settings = {(seed, arm): _settings(config, folders, seed, arm) for seed, arm in queue}
    for given in settings.values():  # all of them, before hours are spent on the first
        arm_config = load_config(config_class, experiment, given)
        if check is not None:
            check(arm_config)
    if dry_run:
        console("\n".join(shlex.join(["rl-align", "run", str(experiment), *settings[key]]) for key in queue))
        return 0
    failed, finished, root = 0, {arm: {} for arm in config.arms}, Path(config.folder)
    stop.forget(root)
    for number, (seed, arm) in enumerate(queue, start=1):
        label = f"[{arm}, seed {seed}, {number}/{len(queue)}]"
        folder = folders[arm][seed]
        stop.obey(root, f"before {label}")
        if run_once(experiment, settings[seed, arm], folder, config_class, command, label, console, root):
            finished[arm][seed] = folder
        else:
            failed += 1
        if arm == list(config.arms)[-1]:  # a seed is complete: what there is can be compared
            _write(root, finished, config, console if number == len(queue) else lambda _: None)
    return 1 if failed else 0


def compare(
    summaries: Mapping[str, Mapping[int, Mapping[str, Any]]], cells: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Arms side by side.

    Args:
        summaries: Arm → seed → content of `summary.json`. The first arm is what the others are compared with.
        cells: Arm → (responder, rewriter) of the matrix, where arms are compared by that; else by their GRPO model.

    Returns:
        `{split: {arm: {metric: {"mean", "sd", "values", "difference"}}}}`, greedy rates in [0, 1]; START is an arm as well,
        from the first arm's runs. `difference` is the mean and sd of the difference to the first arm, seed by seed: runs of
        one seed share world and warm start, so the seed's own luck drops out.
    """
    first = next(iter(summaries))
    tables: dict[str, dict[str, Any]] = {}
    metrics = MATRIX_METRICS if cells else METRICS

    def splits_of(summary: Mapping[str, Any], model: str, cell: Sequence[str] | None) -> Mapping[str, Any]:
        if not cell:
            return summary["models"].get(model, {})
        return summary.get("matrix", {}).get(cell[0], {}).get(cell[1], {})

    cell_of = dict(cells or {})
    begun = [START, NO_REWRITER] if cells else None
    read = {a: {seed: splits_of(s, MODEL, cell_of.get(a)) for seed, s in by_seed.items()} for a, by_seed in summaries.items()}
    read = {START: {seed: splits_of(s, START, begun) for seed, s in summaries[first].items()}, **read}
    for split in dict.fromkeys(split for by_seed in read.values() for models in by_seed.values() for split in models):
        for arm, by_seed in read.items():
            for metric in metrics:
                values = _known(by_seed, split, metric)
                if not values:
                    continue
                cell: dict[str, Any] = {**_spread(values.values()), "values": values}
                if arm not in (START, first):
                    beside = _known(read[first], split, metric)
                    pairs = [values[seed] - beside[seed] for seed in values if seed in beside]
                    cell["difference"] = _spread(pairs) if pairs else None
                tables.setdefault(split, {}).setdefault(arm, {})[metric] = cell
    return tables


def markdown(tables: Mapping[str, Any], seeds: Sequence[int]) -> str:
    """The comparison as Markdown: per cent, mean ± sd over seeds; below, differences to the first arm, seed by seed."""
    lines = [f"Seeds {', '.join(map(str, seeds))}; greedy, per cent, mean ± standard deviation."]
    for split, arms in tables.items():
        first = next(arm for arm in arms if arm != START)
        metrics = MATRIX_METRICS if any("kept" in cells for cells in arms.values()) else METRICS
        head = ["| | " + " | ".join(heading(m) for m in metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
        lines += ["", f"{split}:", "", *head]
        lines += [_row(arm, cells, metrics) for arm, cells in arms.items()]
        others = {arm: {m: c["difference"] for m, c in cells.items()} for arm, cells in arms.items() if arm not in (START, first)}
        lines += [_row(f"{arm} − {first}", cells, metrics, "+") for arm, cells in others.items()]
    return "\n".join(lines) + "\n"


def curves(runs: Runs, metrics: Mapping[str, str], stage: str = STAGE) -> dict[str, dict[str, list[list[tuple[int, float]]]]]:
    """Title → arm → one curve a seed, (step, value), of the training steps. A metric that no run has is left out."""
    found: dict[str, dict[str, list[list[tuple[int, float]]]]] = {}
    for arm, folders in runs.items():
        for folder in folders.values():
            rows = [row for row in read_lines(folder / "metrics.jsonl") if row.get("stage") == stage]
            for title, metric in metrics.items():
                points = [(row["step"], float(row[metric])) for row in rows if isinstance(row.get(metric), (int, float))]
                if points:
                    found.setdefault(title, {}).setdefault(arm, []).append(points)
    return {title: found[title] for title in metrics if title in found}


def alarms(runs: Runs) -> dict[str, dict[str, list[int]]]:
    """Arm → alarm → steps at which it was raised, one number a seed."""
    counted: dict[str, dict[str, list[int]]] = {}
    for arm, folders in runs.items():
        counts = []
        for folder in folders.values():
            rows = list(read_lines(folder / "metrics.jsonl"))
            counts.append([name.removeprefix("alarm/") for row in rows for name in row if name.startswith("alarm/")])
        names = sorted({name for count in counts for name in count})
        counted[arm] = {name: [count.count(name) for count in counts] for name in names}
    return counted


def _settings(config: AblationConfig, folders: Runs, seed: int, arm: str) -> list[str]:
    def said(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    siblings = [str(folders[other][seed]) for other in config.arms if other != arm]
    others = [path.replace("{seed}", str(seed)) for path in config.reuse]
    own = [f"seed={seed}", f"folder={said(str(folders[arm][seed]))}", f"reuse={said([*siblings, *others])}"]
    return [*config.settings, *config.arms[arm], *own]


def _write(folder: Path, runs: Runs, config: AblationConfig, console: Callable[[str], None]) -> None:
    from rl_align.report.figure import draw

    if not all(runs.values()):
        console(f"no table: of {', '.join(arm for arm, by_seed in runs.items() if not by_seed)} no run has finished")
        return
    summaries = {arm: {seed: read_summary(f) for seed, f in by_seed.items()} for arm, by_seed in runs.items()}
    tables = compare(summaries, config.cells)
    seeds = sorted({seed for by_seed in runs.values() for seed in by_seed})
    raised = alarms(runs)
    write_json(folder / "ablation.json", {"seeds": seeds, "splits": tables, "alarms": raised})
    said = [f"{arm}: " + (", ".join(f"{n} {counts}" for n, counts in found.items()) or "none") for arm, found in raised.items()]
    text = markdown(tables, seeds) + "\nSteps with an alarm, one number a seed:\n\n" + "".join(f"* {line}\n" for line in said)
    write_text(folder / "ablation.md", text)
    draw(folder / "ablation.png", curves(runs, config.curves, config.stage))
    console(f"{text}\nwritten to {folder / 'ablation.md'}, ablation.json and ablation.png")


def _known(by_seed: Mapping[int, Mapping[str, Any]], split: str, metric: str) -> dict[int, float]:
    return {seed: m[split][metric] for seed, m in by_seed.items() if split in m and m[split].get(metric) is not None}


def _spread(values: Iterator[float] | Sequence[float]) -> dict[str, float | None]:
    found = list(values)
    return {"mean": fmean(found), "sd": stdev(found) if len(found) > 1 else None}


def _row(name: str, cells: Mapping[str, Mapping[str, Any] | None], metrics: Sequence[str], sign: str = "") -> str:
    shown = []
    for metric in metrics:
        cell = cells.get(metric)
        spread = f" ± {100 * cell['sd']:.1f}" if cell and cell["sd"] is not None else ""
        shown.append(f"{100 * cell['mean']:{sign}.1f}{spread}" if cell else "–")
    return f"| {name} | " + " | ".join(shown) + " |"
