"""One run after another, each a process of its own, each done once."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rl_align.config import config_hash, load_config
from rl_align.errors import Stopped, UserError
from rl_align.pipeline.stages import seconds
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_json

#: Written into a run folder when its run has ended well: the hash of the configuration that it was made with.
DONE = "done.json"
RUN_COMMAND = (sys.executable, "-m", "rl_align.cli", "run")
_PR_SET_PDEATHSIG = 1


def run_once(
    config_path: str | Path,
    settings: Sequence[str],
    folder: Path,
    config_class: type,
    command: Sequence[str] = RUN_COMMAND,
    label: str = "",
    console: Callable[[str], None] = print,
    root: Path | None = None,
) -> bool:
    """Runs an experiment to its end, or skips it when its folder holds the finished run of the same configuration.

    Args:
        config_path: YAML file of the experiment.
        settings: `key=value`, the folder among them.
        folder: The run folder.
        config_class: The experiment's dataclass.
        command: What starts the run; gets the configuration's path and the settings.
        label: How the run is called on the console.
        console: Gets a line when the run is skipped, starts and ends.
        root: Folder of the whole queue, where a request to stop is looked for; by default the run folder.

    Returns:
        Whether the run is finished and has a summary.

    Raises:
        UserError: The configuration is wrong, or the run says that its input is.
        Stopped: It was asked to stop, and the run has.
    """
    root = root or folder
    wanted = config_hash(load_config(config_class, config_path, settings))
    if finished(folder, wanted):
        console(f"{label}: skipped, finished in {folder}")
        return True
    console(f"{label}: started in {folder}")
    start = time.monotonic()
    code = _run_one([*command, str(config_path), *settings], root, label)
    took = seconds(time.monotonic() - start)
    if code == 2:
        raise UserError(f"{label} was refused", where=str(config_path), fix="see the line above")
    if code != 0 or not (folder / "summary.json").is_file():
        console(f"{label}: failed with exit code {code} after {took}")
        return False
    write_json(folder / DONE, {"hash": wanted})
    console(f"{label}: done in {took}")
    return True


def read_summary(folder: Path) -> dict[str, Any]:
    """A finished run's summary. Raises UserError when it is damaged."""
    path = folder / "summary.json"
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError("the summary is damaged", where=str(path), fix=f"run `rl-align report {folder}`") from error
    if not isinstance(value, dict):
        raise UserError("the summary is not a mapping", where=str(path), fix=f"run `rl-align report {folder}`")
    return value


def finished(folder: Path, wanted: str) -> bool:
    """Whether a folder holds the finished run of the configuration with this hash."""
    try:
        return (folder / "summary.json").is_file() and json.loads((folder / DONE).read_bytes())["hash"] == wanted
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _run_one(command: Sequence[str], root: Path, label: str) -> int:
    """Run to the end; the run dies with this process, and gets a moment to clean up when this is interrupted.

    A request to stop, by signal or by file, is handed on to it.
    """
    asked: list[int] = []
    process = subprocess.Popen(command, preexec_fn=_die_with_parent if sys.platform == "linux" else None)

    def hand_on(number: int) -> None:
        asked.append(number)
        process.send_signal(number)

    try:
        with stop.on_signals(hand_on):
            while (code := _ended(process)) is None:
                if not asked and stop.requested(root):
                    hand_on(signal.SIGUSR1)
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if code == stop.AGAIN or (asked and code != 0):
        stop.forget(root)
        raise Stopped(f"{label} stopped, as asked", fix="the same command continues")
    return code


def _ended(process: subprocess.Popen) -> int | None:
    try:
        return process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return None


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
