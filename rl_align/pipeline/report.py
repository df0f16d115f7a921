"""The report of a run folder, and the configuration that the folder was made with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.lineage import lineage
from rl_align.pipeline.stages import timings
from rl_align.runfiles.atomic import write_json


def load_run(folder: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration of an existing run folder. Its seeds are already resolved."""
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise UserError("no config.yaml", where=str(folder), expected="a run folder", fix="give the folder of a run")
    return load_config(RunConfig, path, overrides)


def write_report(folder: Path, config: RunConfig, timing: dict[str, float]) -> None:
    """`summary.json`, `report.html` and the table on the console."""
    from rl_align.report.console import console_table
    from rl_align.report.html import write_html
    from rl_align.report.summary import build_summary

    summary = build_summary(folder, seed=config.seed, timing_s=timing, lineage=lineage(folder))
    write_json(folder / "summary.json", summary)
    write_html(folder)
    print(console_table(summary))
    print(f"report: {folder / 'report.html'}")


def report(folder: str | Path) -> None:
    """Writes the report of a run again."""
    write_report(Path(folder), load_run(folder), timings(Path(folder)))
