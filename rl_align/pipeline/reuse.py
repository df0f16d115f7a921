"""Takes over what a stage of another run folder left behind, so that runs which begin alike do that part once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rl_align.pipeline.aside import lines_of
from rl_align.runfiles.atomic import write_text


def take_over(donor: Path, folder: Path, outputs: Sequence[Path], stage: str, shared: Sequence[Path]) -> bool:
    """Brings a finished stage's outputs and its lines of shared files from one run folder into another.

    Files are copied, with their times: folders of their own may be deleted or run again without a thought for each other. Doing
    it again after being killed in the middle ends the same.

    Args:
        donor: Run folder that has them.
        folder: Run folder that gets them.
        outputs: Files and folders in `folder`; they lie at the same places in `donor`.
        stage: Name of the stage.
        shared: JSON lines files in `folder` that stages share.

    Returns:
        Whether everything was there.
    """
    sources = [donor / path.relative_to(folder) for path in outputs]
    if not all(source.exists() for source in sources):
        return False
    for source, path in zip(sources, outputs, strict=True):
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, path, copy_function=shutil.copy2)
        else:
            shutil.copy2(source, path)
    for path in shared:
        theirs, _ = lines_of(donor / path.relative_to(folder), stage)
        if theirs:
            _, others = lines_of(path, stage)
            write_text(path, others + theirs)
    return True
