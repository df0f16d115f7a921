"""Measuring the models of a finished run again, with its own settings or with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rl_align.config import config_hash, to_yaml
from rl_align.errors import UserError
from rl_align.eval.config import check as check_eval
from rl_align.pipeline.report import load_run, write_report
from rl_align.pipeline.run import Run
from rl_align.pipeline.stages import run_stages, timings
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.runfiles.lock import engine_lock


def evaluate(folder: str | Path, overrides: Sequence[str] = ()) -> None:
    """Measures the models of a run again and writes its report.

    With other settings than the run's the results go to `variants/<hash of the settings>` and the run's own stay.
    """
    from rl_align.report.console import console_table
    from rl_align.report.summary import build_summary

    own, config = load_run(folder), replace(load_run(folder, overrides), folder=str(folder))
    check_eval(config.eval)
    work = Run(config)
    stages = [stage for stage in work.stages() if stage.name == "eval"]
    if not stages:
        raise UserError("this run has nothing to measure", where=f"{folder}/config.yaml", expected="evaluate: true")
    if replace(config, folder=own.folder, eval=own.eval) != own:
        raise UserError("only settings of eval can be changed", where=" ".join(overrides), expected="eval.key=value")
    with engine_lock(str(folder)):
        if config.eval == own.eval:
            timing = run_stages(work.folder, stages)
            write_report(work.folder, config, timings(work.folder) | timing)
            return
        variant = work.folder / "variants" / config_hash(asdict(config.eval))[:8]
        work.evaluate(variant / "eval")
        summary = build_summary(variant, seed=config.seed, timing_s={})
        write_json(variant / "summary.json", summary)
        write_text(variant / "config.yaml", to_yaml(config))
        print(console_table(summary))
        print(f"results: {variant / 'summary.json'}; those of the run are as they were")
