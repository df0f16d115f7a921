"""Arms of one experiment that differ in a few settings, each over the same seeds: what the difference makes, with its spread.

Runs of one seed share every stage that is the same for them (`RunConfig.reuse`): the world, the model, the warm start. Running the
same command again skips what is finished.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.pipeline.arms import START, by_round, compare, markdown
from rl_align.pipeline.queue import RUN_COMMAND, read_summary, run_once
from rl_align.pipeline.trained import logged, planned_lines
from rl_align.report.figure import WINDOW, smooth
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import read_lines, write_json, write_text

#: The stage whose curves are drawn.
STAGE = "grpo"

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
            has one, and what they start from is the responder "sft" behind no rewriter. Behind no rewriter a run without a matrix
            has a cell, too: its models, as `eval` measured them.
        beside: Row → [arm, responder, rewriter]: more cells of the arms' runs that are shown, such as what they started from.
        rounds: Arm → cells of its runs in the order of training, each after as many texts as the one before it: drawn as curves.
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
    beside: dict[str, list[str]] = field(default_factory=dict)
    rounds: dict[str, list[list[str]]] = field(default_factory=dict)
    stage: str = "grpo"
    curves: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; expected 1 or more")
        if len(self.arms) < 2:
            raise ValueError(f"{len(self.arms)} arms; an ablation compares two or more")
        if self.cells and (set(self.cells) != set(self.arms) or any(len(cell) != 2 for cell in self.cells.values())):
            raise ValueError("cells names other arms than there are, or not [responder, rewriter] for each")
        for name, row in self.beside.items():
            if name in {*self.arms, START} or len(row) != 3 or row[0] not in self.arms or not self.cells:
                raise ValueError(f"beside.{name} is not a new row with [arm, responder, rewriter] beside cells")
        for arm, path in self.rounds.items():
            if arm not in self.arms or len(path) < 2 or any(len(cell) != 2 for cell in path):
                raise ValueError(f"rounds.{arm} is not an arm with two or more [responder, rewriter]")


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
    resolved = {}
    for (_, arm), given in settings.items():  # all of them, before hours are spent on the first
        arm_config = load_config(config_class, experiment, given)
        if check is not None:
            resolved[arm] = check(arm_config)
    if dry_run:
        console("\n".join(shlex.join(["rl-align", "run", str(experiment), *settings[key]]) for key in queue))
        for line in planned_lines(resolved) if resolved else ():
            console(f"# {line}")
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
    tables = compare(summaries, config.cells, config.beside)
    counts = {arm: {seed: logged(folder) for seed, folder in by_seed.items()} for arm, by_seed in runs.items()}
    seeds = sorted({seed for by_seed in runs.values() for seed in by_seed})
    raised = alarms(runs)
    write_json(folder / "ablation.json", {"seeds": seeds, "splits": tables, "alarms": raised, "texts": counts})
    said = [f"{arm}: " + (", ".join(f"{n} {steps}" for n, steps in found.items()) or "none") for arm, found in raised.items()]
    text = markdown(tables, seeds, next(iter(runs))) + "\n" + _texts(counts)
    text += "\nSteps with an alarm, one number a seed:\n\n" + "".join(f"* {line}\n" for line in said)
    write_text(folder / "ablation.md", text)
    training = curves(runs, config.curves, config.stage)
    smoothed = {title: {a: [smooth(c, WINDOW) for c in found] for a, found in arms.items()} for title, arms in training.items()}
    draw(folder / "ablation.png", smoothed | by_round(summaries, config.rounds))
    console(f"{text}\nwritten to {folder / 'ablation.md'}, ablation.json and ablation.png")


def _texts(counts: Mapping[str, Mapping[int, Mapping[str, int]]]) -> str:
    """What was sampled and trained, by the logs."""
    titles = {"sampled": "texts sampled", "trained": "in the loss", "flat_groups": "groups that taught nothing"}
    lines = [
        f"* {arm}: " + "; ".join(f"{title} {', '.join(str(c[name]) for c in by_seed.values())}" for name, title in titles.items())
        for arm, by_seed in counts.items()
    ]
    return "What GRPO trained, by the logs, one number a seed:\n\n" + "\n".join(lines) + "\n"
