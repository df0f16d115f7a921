"""Which files of a run folder a model is, trusted only after their hashes were compared with what the run recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rl_align.config import config_hash, load_config
from rl_align.errors import UserError
from rl_align.models import shards
from rl_align.models.lora import ADAPTER, CONFIG
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.lineage import placed
from rl_align.pipeline.run import Run
from rl_align.pipeline.stages import RECORDS, Stage, read_record
from rl_align.runfiles.manifest import hash_files, last_good

_NAME = re.compile(r"\w[\w-]*")


@dataclass(frozen=True)
class Source:
    """A model of a run.

    Attributes:
        run: The run folder.
        config: Its configuration.
        name: Of the model: what stands in `models/`, and mostly the stage that made it.
        stage: The stage.
        folder: Its Hugging Face folder, or the checkpoint of a stage that is not finished.
        inner: Hugging Face folder inside a checkpoint; None for a finished model.
        hash: Of the content, as lineage names it.
        start: The model that the stage began with; None where it made one.
        start_hash: Of its content then; None where no record says so.
        rows: Parquet files that the stage read.
    """

    run: Path
    config: RunConfig
    name: str
    stage: str
    folder: Path
    inner: str | None
    hash: str
    start: Path | None
    start_hash: str | None
    rows: tuple[Path, ...]

    @property
    def step(self) -> int | None:
        """Of a checkpoint; None for a finished model."""
        return None if self.inner is None else int(self.folder.name.rpartition("_")[2])

    @property
    def adapter(self) -> Path | None:
        """Folder of the adapter that was merged into a finished model."""
        folder = self.folder / ADAPTER
        return folder if self.inner is None and (folder / CONFIG).is_file() else None


def find(folder: Path | str, name: str) -> Source:
    """The model of this name, verified: a finished one, or the newest checkpoint of its stage that can be trusted.

    Raises:
        UserError: No run, no such model, or files that are not what the run recorded.
    """
    run = Path(folder).absolute()
    if not (run / "config.yaml").is_file():
        raise UserError("there is no run here", where=str(folder), expected="a run folder, such as runs/quickstart")
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} names no model", where="--stage", expected="a name such as grpo")
    config = replace(load_config(RunConfig, run / "config.yaml"), folder=str(run))
    place = run / "models" / name
    for path in sorted((run / RECORDS).glob("*.json")):
        record = None if path.name.endswith(".begun.json") else read_record(path)
        told = _below(record, f"models/{name}/") if record else {}
        if told and record is not None:
            digest = verified(place, told, path.stem)
            origin = Path(record["taken_from"]).absolute() if isinstance(record.get("taken_from"), str) else run
            inputs = {placed(run, origin, given): str(sha) for given, sha in (record.get("inputs") or {}).items()}
            start = _start(list(inputs))
            known = None if start is None else inputs[start]
            return Source(run, config, name, path.stem, place, None, digest, start, known, _rows(list(inputs)))
    return _of_checkpoint(run, config, name)


def check_start(source: Source) -> Path:
    """The model that a stage began with. Raises UserError where it is none, or is not what it was then."""
    start = source.start
    if start is None or not start.is_dir():
        raise UserError(f"the model that {source.stage} began with is gone", where=str(start or source.run))
    if source.start_hash is None:
        if start.is_relative_to(source.run / "models"):
            find(source.run, start.name)
        return start
    found = config_hash(sorted((f"{start.name}/{path}", entry["sha256"]) for path, entry in hash_files(start).items()))
    if found != source.start_hash:
        what = f"is another model than the one that {source.stage} began with"
        raise UserError(what, where=str(start), expected=f"content {source.start_hash[:12]}", fix="export the sum of both instead")
    return start


def verified(folder: Path, told: dict[str, str], stage: str) -> str:
    """Hash of a model folder's content. Raises UserError for a file that is not what the stage recorded."""
    found = {path: entry["sha256"] for path, entry in hash_files(folder).items()} if folder.is_dir() else {}
    for path in sorted({*told, *found}):
        if told.get(path) != found.get(path):
            how = "is missing" if path not in found else "is new" if path not in told else "was changed"
            what = f"{path} {how} since stage {stage} recorded it"
            raise UserError(what, where=str(folder), fix="export what was recorded: run the experiment again to make it anew")
    return config_hash(sorted((f"{folder.name}/{path}", sha) for path, sha in told.items()))


def _below(record: dict[str, Any], prefix: str) -> dict[str, str]:
    """Recorded outputs below a folder, relative to it."""
    outputs = record.get("outputs") or {}
    return {path.removeprefix(prefix): sha for path, sha in outputs.items() if path.startswith(prefix)}


def _of_checkpoint(run: Path, config: RunConfig, name: str) -> Source:
    passed_over: list[str] = []
    good = last_good(run / "checkpoints" / name, lambda path, problems: passed_over.append(f"{path.name}: {problems[0]}"))
    if good is None:
        known = sorted(path.name for path in (run / "models").glob("*") if path.is_dir() and not path.name.startswith("."))
        why = f" ({passed_over[0]})" if passed_over else ""
        expected = f"one of {', '.join(known)}" if known else "a run that has trained something"
        raise UserError(f"there is no model {name!r} that can be trusted{why}", where=str(run), expected=expected)
    inner = "actor/huggingface" if (good / "actor").is_dir() else "huggingface"
    digest = config_hash(sorted((path, entry["sha256"]) for path, entry in hash_files(good).items()))
    inputs = [Path(path) for stage in _stages(config) if stage.name == name for path in stage.inputs]
    start = _start(inputs)
    if start is None and shards.lora_scale((good / inner).parent) is not None:
        what = "nobody knows what its adapter belongs to"
        raise UserError(what, where=str(good), expected="the checkpoint of a stage that the configuration has")
    return Source(run, config, name, name, good, inner, digest, start, None, _rows(inputs))


def _stages(config: RunConfig) -> list[Stage]:
    return Run(config).stages()


def _start(inputs: list[Path]) -> Path | None:
    """Training stages name the model that they start from before any other."""
    return next((path for path in inputs if path.suffix != ".parquet"), None)


def _rows(inputs: list[Path]) -> tuple[Path, ...]:
    return tuple(path for path in inputs if path.suffix == ".parquet")
