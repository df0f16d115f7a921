"""Stages of a run folder: each runs once for a given content, and running the same command again continues.

A stage is finished when `stages/<name>.json` holds the hash of its configuration and of the content of its inputs, and
its outputs have the content that was recorded. Anything else (a change, a damaged output, no record) runs it. The record names
every input with a hash of its own: which model, rows and partner a model was made from.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rl_align.config import config_hash
from rl_align.errors import UserError
from rl_align.pipeline.aside import move_aside
from rl_align.pipeline.reuse import take_over
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.runfiles.manifest import hash_file, hash_files

#: Folder of the records inside a run folder.
RECORDS = "stages"

CHANGED = "configuration or inputs changed"


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    Attributes:
        name: Unique in the pipeline; names the record.
        run: Does the work. It must be able to continue its own partial work, and leave `outputs` behind.
        config_part: The part of the configuration that the outputs depend on (a dataclass, a mapping, plain values).
        inputs: Files or folders whose content the outputs depend on.
        outputs: Files or folders that exist when the stage is done.
        partial: Work in progress that a resumed stage continues from (checkpoints), and what it logged on the way. It is
            moved aside when the stage starts with another configuration or other inputs than the ones that the work was
            begun with.
        lines: JSON lines files that stages share; a line's "stage" says whose it is. Moved aside likewise.
    """

    name: str
    run: Callable[[], object]
    config_part: Any = None
    inputs: Sequence[Path] = ()
    outputs: Sequence[Path] = ()
    partial: Sequence[Path] = field(default=())
    lines: Sequence[Path] = field(default=())


class StageFailed(Exception):
    """A stage raised something that is not the user's error.

    Args:
        stage: Name of the stage.
        cause: What it raised.
        traceback_file: Where the traceback was written.
    """

    def __init__(self, stage: str, cause: BaseException, traceback_file: Path):
        lines = [line for line in str(cause).splitlines() if line.strip()] or ["no message"]
        what = f"{type(cause).__name__}: {lines[0][:300]}"
        super().__init__(f"stage {stage} failed: {what}; traceback in {traceback_file}")
        self.stage = stage
        self.traceback_file = traceback_file


def run_stages(
    folder: Path | str,
    stages: Sequence[Stage],
    console: Callable[[str], None] = print,
    donors: Sequence[Path | str] = (),
) -> dict[str, float]:
    """Run the stages that are not finished, in order, and record each as it finishes.

    Args:
        folder: The run folder.
        stages: The pipeline, in order.
        console: Gets one line when a stage is skipped, starts and ends.
        donors: Other run folders. A stage that one of them has finished with the same configuration and the same inputs is
            taken over from there.

    Returns:
        Stage name → seconds it took, also for those skipped (from their records).

    Raises:
        UserError: As raised by a stage, or an input is missing.
        StageFailed: A stage raised anything else; its traceback is in the run folder. No record is left.
        Stopped: It was asked to stop (`runfiles/stop.py`), by a stage or between two.
    """
    folder = Path(folder)
    stop.forget(folder)
    for number, stage in enumerate(stages, start=1):
        label = f"[{number}/{len(stages)}] {stage.name}"
        stop.obey(folder, f"before stage {stage.name}")
        wanted = stage_hash(folder, stage)
        reason = _reason(folder, stage, wanted)
        if reason is None:
            _begun_path(folder, stage).unlink(missing_ok=True)
            console(f"{label}: skipped, unchanged (took {seconds(timings(folder)[stage.name])})")
            continue
        _begin(folder, stage, wanted, console)
        donor = next((d for d in map(Path, donors) if _adopt(folder, stage, wanted, d)), None)
        if donor is not None:
            console(f"{label}: taken over from {donor}")
            continue
        console(f"{label}: started ({reason})")
        took = _run(folder, stage, wanted)
        console(f"{label}: done in {seconds(took)}")
    known = timings(folder)
    return {stage.name: known[stage.name] for stage in stages}


def foresee(folder: Path | str, stages: Sequence[Stage]) -> list[str]:
    """One line a stage: whether `run_stages` would run it as things stand, and why."""
    return [f"stage {stage.name}: {_foreseen(Path(folder), stage)}" for stage in stages]


def _foreseen(folder: Path, stage: Stage) -> str:
    if not all(Path(path).exists() for path in stage.inputs):
        return "runs when its inputs are made"
    reason = why_run(folder, stage)
    return f"runs ({reason})" if reason else "done, skipped as long as its inputs stay what they are"


def why_run(folder: Path | str, stage: Stage) -> str | None:
    """Why a stage would run, in a few words; None when it is finished. Raises UserError when an input is missing."""
    return _reason(Path(folder), stage, stage_hash(Path(folder), stage))


def stage_hash(folder: Path, stage: Stage) -> str:
    """Hash of what a stage's outputs depend on: its configuration and the content of its inputs, not where they lie."""
    return config_hash({"config": stage.config_part, "inputs": list(_inputs(folder, stage).values())})


def _inputs(folder: Path, stage: Stage) -> dict[str, list[tuple[str, str]]]:
    """Input → its files with their SHA-256. Raises UserError for one that is missing."""
    contents = {}
    for path in map(Path, stage.inputs):
        if not path.exists():
            raise UserError(f"stage {stage.name} needs it and it does not exist", where=str(path))
        contents[os.path.relpath(path, folder)] = sorted(_content(folder, path, within=path.parent).items())
    return contents


def timings(folder: Path | str) -> dict[str, float]:
    """Stage name → seconds, of the finished stages of a run folder."""
    records = sorted((Path(folder) / RECORDS).glob("*.json"))
    read = {path.stem: read_record(path) for path in records if not path.name.endswith(".begun.json")}
    return {name: float(record["seconds"]) for name, record in read.items() if record}


def seconds(value: float) -> str:
    """A duration for people: 0.42 s, 63 s, 12 min 3 s."""
    if value < 10:
        return f"{value:.2g} s"
    return f"{value:.0f} s" if value < 120 else f"{int(value) // 60} min {int(value) % 60} s"


def _run(folder: Path, stage: Stage, wanted: str) -> float:
    start = time.perf_counter()
    try:
        stage.run()
        missing = [str(path) for path in stage.outputs if not Path(path).exists()]
        if missing:
            raise RuntimeError(f"the stage ended without its output {', '.join(missing)}")
    except UserError:
        raise
    except Exception as error:
        path = folder / RECORDS / f"{stage.name}.traceback.txt"
        write_text(path, traceback.format_exc())
        raise StageFailed(stage.name, error, path) from error
    begun = read_record(_begun_path(folder, stage)) or {}
    took = time.perf_counter() - start
    record = {
        "hash": wanted,
        "seconds": round(took, 3),
        "attempts": begun.get("attempts", 1),
        "inputs": {name: config_hash(content) for name, content in _inputs(folder, stage).items()},
        "outputs": _outputs(folder, stage),
        "finished": _now(),
    }
    write_json(_record_path(folder, stage), record)
    _begun_path(folder, stage).unlink(missing_ok=True)
    (folder / RECORDS / f"{stage.name}.traceback.txt").unlink(missing_ok=True)
    return took


def _adopt(folder: Path, stage: Stage, wanted: str, donor: Path) -> bool:
    """Whether a donor's finished stage is this one's now. What was copied is compared with what the donor recorded."""
    record = read_record(_record_path(donor, stage))
    if record is None or record["hash"] != wanted or donor.resolve() == folder.resolve():
        return False
    within = [path for path in map(Path, stage.outputs) if path.is_relative_to(folder)]
    if len(within) < len(stage.outputs) or not take_over(donor, folder, within, stage.name, stage.lines):
        return False
    if _outputs(folder, stage) != record["outputs"]:
        return False
    write_json(_record_path(folder, stage), {**record, "taken_from": str(donor)})
    _begun_path(folder, stage).unlink(missing_ok=True)
    return True


def _begin(folder: Path, stage: Stage, wanted: str, console: Callable[[str], None]) -> None:
    """Note what the work is begun with, so that partial work is continued only by a stage that wants the same."""
    before = read_record(_begun_path(folder, stage)) or read_record(_record_path(folder, stage)) or {}
    same = before.get("hash") == wanted
    if not same:  # also without a record: nobody knows what the work was begun with
        for path in move_aside(folder, stage.name, stage.partial, stage.lines):
            console(f"    work of another configuration: moved to {path}")
    attempts = int(before.get("attempts", 0)) + 1 if same else 1
    write_json(_begun_path(folder, stage), {"hash": wanted, "attempts": attempts, "begun": _now(), "pid": os.getpid()})
    _record_path(folder, stage).unlink(missing_ok=True)


def _reason(folder: Path, stage: Stage, wanted: str) -> str | None:
    path = _record_path(folder, stage)
    record = read_record(path)
    if record is None:
        if path.exists():
            return "its record is damaged"
        begun = read_record(_begun_path(folder, stage))
        if begun is None:
            return "first time"
        return "continues" if begun["hash"] == wanted else CHANGED
    if record["hash"] != wanted:
        return CHANGED
    found = _outputs(folder, stage)
    different = sorted(name for name in {*found, *record["outputs"]} if found.get(name) != record["outputs"].get(name))
    if different:
        name = different[0]
        return f"output {name} " + ("changed" if name in found and name in record["outputs"] else "is missing or new")
    return None


def _outputs(folder: Path, stage: Stage) -> dict[str, str]:
    contents: dict[str, str] = {}
    for path in map(Path, stage.outputs):
        if path.exists():
            contents |= _content(folder, path, within=folder)
    return contents


def _content(folder: Path, path: Path, within: Path) -> dict[str, str]:
    """Path relative to `within` → SHA-256, of a file or of every file in a folder."""
    if path.is_file():
        return {os.path.relpath(path, within): hash_file(path)}
    name = os.path.relpath(path, within)
    return {f"{name}/{inner}": entry["sha256"] for inner, entry in hash_files(path).items()}


def _record_path(folder: Path, stage: Stage) -> Path:
    return folder / RECORDS / f"{stage.name}.json"


def _begun_path(folder: Path, stage: Stage) -> Path:
    return folder / RECORDS / f"{stage.name}.begun.json"


def read_record(path: Path) -> dict[str, Any] | None:
    """A stage's record, or the note of one that was begun; None when it is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("hash"), str):
        return None
    finished = isinstance(value.get("seconds"), (int, float)) and isinstance(value.get("outputs"), dict)
    return value if finished or "begun" in value else None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
