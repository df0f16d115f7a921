"""`rl-align eval matrix`: asks what is missing, then writes the numbers and the report. Running it again continues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.config import load_config, to_yaml
from rl_align.eval.grid.config import GridConfig, check
from rl_align.eval.grid.places import folder_of, missing, require
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.runfiles.lock import engine_lock

if TYPE_CHECKING:
    from rl_align.eval.grid.models import Starter
    from rl_align.eval.grid.run import Grid

REPORT = "report"


def matrix(
    config_path: str | Path,
    overrides: Sequence[str] = (),
    *,
    dry_run: bool = False,
    console: Callable[[str], None] = print,
    start: Starter | None = None,
) -> int:
    """Runs a matrix, or goes on with it.

    Args:
        config_path: YAML file of the matrix.
        overrides: `key=value` settings.
        dry_run: Say what would be asked and what is not there, and start nothing.
        console: Gets the lines.
        start: Starts servers; vLLM's by default.

    Returns:
        0, or 1 when answers are missing in the end; the tables then cover the others, and say so.

    Raises:
        UserError: A setting, data or a model that cannot be used.
    """
    cfg = load_config(GridConfig, config_path, overrides)
    check(cfg)
    if dry_run:
        console("\n".join(explain(cfg)))
        return 0
    require(missing(cfg))
    from rl_align.eval.grid.run import Grid

    title = Path(config_path).stem
    with ExitStack() as stack:
        stack.enter_context(engine_lock(cfg.out, _address(cfg)))
        if any(folder_of(model, cfg) is not None for model in cfg.everyone.values()):
            stack.enter_context(engine_lock(cfg.out))
        grid = Grid(cfg, _beside_the_bar(console), _bar, start)
        write_text(Path(cfg.out) / "config.yaml", to_yaml(cfg))
        try:
            grid.run()
        except KeyboardInterrupt:
            finish(grid, title, console)
            raise
        finish(grid, title, console)
    return 1 if grid.missing else 0


def finish(grid: Grid, title: str, console: Callable[[str], None]) -> dict[str, Any]:
    """Writes `results.json` and the report from the answers that there are."""
    from rl_align.eval.grid.results import RESULTS, Measured, Rows, results
    from rl_align.report.grid.write import write_report
    from rl_align.report.summary import versions

    cfg, plan = grid.cfg, grid.plan
    measured = {}
    for name in cfg.benchmarks:
        sheet = plan.sheet(next(iter(cfg.models)), name)
        assert sheet is not None
        parts: Mapping[str, Any] = {"facts": sheet.facts, "items": list(sheet.asked), "known_by": sheet.known_by}
        measured[name] = Measured.of(name, cfg, sheet.task, sheet.rates, **parts)
    cells = {c: Rows(one.place.rows, one.place.missing, one.failed, one.seconds) for c, one in grid.asked.items()}
    found = {**results(cfg, measured, cells), "versions": versions(), "config": asdict(cfg)}
    out = Path(cfg.out)
    write_json(out / RESULTS, found)
    page, *_ = write_report(out / REPORT, found, title, figures=cfg.figures)
    console(f"{out / RESULTS}; the report: {page}")
    if grid.missing:
        console(f"{grid.missing} answers are MISSING: run the same command again to ask them")
    return found


def explain(cfg: GridConfig) -> Iterator[str]:
    """What a matrix would do, and what is not there."""
    from rl_align.eval.grid.estimate import lines
    from rl_align.eval.grid.plan import Plan
    from rl_align.eval.grid.rejudging import stale

    plan = Plan(cfg, absent=True)
    for title, names in (("models", cfg.models), ("defences", cfg.defences), ("benchmarks", cfg.benchmarks)):
        yield f"{len(names)} {title}: {', '.join(names)}"
    for name, defence in cfg.defences.items():
        if defence.partners:
            yield f"{name}: " + ", ".join(f"{partner} is its {role}" for role, partner in defence.partners.items())
    absent = missing(cfg)
    for line in absent:
        yield f"MISSING {line}"
    due, anew, unknown = {}, {}, set()
    for cell in plan.cells:
        if (sheet := plan.sheet(cell.model, cell.benchmark)) is None:
            unknown.add(cell.benchmark)
        elif absent:  # without its model nothing is known of what a cell has
            due[cell] = len(sheet.asked) * sheet.answers
        else:
            place = plan.place(cell, look=True)
            due[cell], anew[cell] = place.missing, sum(stale(row, sheet) for row in place.rows)
    yield from lines(cfg, plan, due, anew)
    if unknown:
        yield f"not in these numbers, because the data are missing: {', '.join(sorted(unknown))}"


def _address(cfg: GridConfig) -> str:
    """Of the lock of this matrix's folder: two commands that write one would lose answers."""
    return "\0rl_align.matrix." + hashlib.sha256(str(Path(cfg.out).resolve()).encode()).hexdigest()[:16]


def _beside_the_bar(console: Callable[[str], None]) -> Callable[[str], None]:
    from tqdm import tqdm

    def said(line: str) -> None:
        with tqdm.external_write_mode():
            console(line)

    return said


@contextmanager
def _bar(total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A bar with rate and rest, on standard error."""
    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc="answers", unit="", mininterval=1.0, smoothing=0.1, leave=False) as bar:
        yield bar.update
