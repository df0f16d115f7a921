"""Rewriters of another run, measured zero-shot in front of this run's target: only those of the same world.

Which combinations are held out follows from the world's settings and its seed. In another world this run's held-out items may be
what the rewriter was trained on, and the measurement would leak.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.pictograms.config import PictogramsConfig

#: Stands for the run's seed in `rewriter.from_run`.
SEED = "{seed}"


def check_donor(folder: str, world: PictogramsConfig) -> None:
    """Refuses a run folder whose rewriters cannot be measured here.

    Args:
        folder: `rewriter.from_run`.
        world: This run's, its seed resolved.

    Raises:
        UserError: It has no trained rewriter, its configuration cannot be read, or its world is another.
    """
    from rl_align.pipeline.config import RunConfig

    where = f"rewriter.from_run: {folder}"
    for name in ("rewriter_sft", "rewriter_grpo"):
        if not (Path(folder) / "models" / name / "config.json").is_file():
            fix = f"run experiments/pictograms/rewriter.yaml with folder={folder} first"
            raise UserError(f"no models/{name} there", where=where, fix=fix)
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise UserError("no config.yaml there, so nobody knows its world", where=where, expected="a run folder")
    try:
        theirs = asdict(load_config(RunConfig, path).pictograms)
    except UserError as error:
        raise UserError(f"its configuration cannot be read ({error})", where=where, expected="a run of this version") from error
    for key, mine in asdict(world).items():
        if theirs[key] != mine:
            what = f"its world is another: pictograms.{key} is {theirs[key]} there and {mine} here"
            fix = f"give the run of the same seed; {SEED} in the path stands for it"
            raise UserError(what, where=where, expected="the same world, or held-out items may have been its lessons", fix=fix)
