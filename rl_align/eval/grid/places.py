"""Where the files of a matrix are: folders of models, items of benchmarks, some of them in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from rl_align.errors import UserError
from rl_align.eval.grid.config import BenchmarkConfig, GridConfig, ModelConfig


def folder_of(model: ModelConfig, cfg: GridConfig) -> Path | None:
    """The Hugging Face folder of a model; None for one behind an endpoint."""
    if model.from_run is None:
        return Path(model.path) if model.path is not None else None
    assert cfg.run is not None
    run = Path(cfg.run)
    if model.from_run == "base" and (given := _given_base(run)):
        return given
    return run / "models" / model.from_run


def tokens_of(model: ModelConfig, cfg: GridConfig) -> Path | None:
    """The folder that says which special tokens a model has; None where nobody knows."""
    return folder_of(model, cfg) or (Path(model.tokenizer) if model.tokenizer is not None else None)


def data_of(benchmark: BenchmarkConfig, cfg: GridConfig) -> Path:
    """The items of a benchmark."""
    if benchmark.from_run is None:
        assert benchmark.data is not None
        return Path(benchmark.data)
    assert cfg.run is not None
    return Path(cfg.run) / "data" / f"{benchmark.from_run}.parquet"


def runs_of(cfg: GridConfig) -> list[Path]:
    """The runs that models of a matrix come from: the one that it names, and those that a model's folder lies in."""
    folders = [folder for model in cfg.everyone.values() if (folder := folder_of(model, cfg)) is not None]
    found = [folder.absolute().parent.parent for folder in folders if folder.absolute().parent.name == "models"]
    found += [Path(cfg.run).absolute()] if cfg.run is not None else []
    return [run for run in dict.fromkeys(found) if (run / "config.yaml").is_file()]


def missing(cfg: GridConfig) -> list[str]:
    """A line for everything that a matrix needs and that is not there."""
    lines = []
    for name, model in cfg.everyone.items():
        folder = folder_of(model, cfg)
        if folder is not None and not (folder / "config.json").is_file():
            lines.append(f"model {name}: no Hugging Face folder {folder}")
    for name, benchmark in cfg.benchmarks.items():
        place = data_of(benchmark, cfg)
        if not place.exists():
            lines.append(f"benchmark {name}: no data {place}")
    return lines


def require(lines: Sequence[str]) -> None:
    """Raises UserError when something is missing."""
    if lines:
        more = f" (and {len(lines) - 1} more: --dry-run lists them)" if len(lines) > 1 else ""
        raise UserError(f"{lines[0]}{more}", expected="every model and every benchmark of the matrix")


def _given_base(run: Path) -> Path | None:
    """The model that a run started from, where it did not build it."""
    try:
        found = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        path = found["model"]["path"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return None
    return Path(path) if isinstance(path, str) else None
