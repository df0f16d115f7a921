"""Tables through the library `datasets`: from the Hub, its cache, or a folder; raw, so that no picture is decoded here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.data.hub.place import Spot
from rl_align.data.hub.reach import explained
from rl_align.data.quarantine import Dropped
from rl_align.data.sources.table import Table
from rl_align.data.sources.tables import Row, rows_of
from rl_align.errors import UserError

#: Readers of plain tables. Others unpack archives, or decode formats that nobody here asked for.
_READERS = ("parquet", "csv", "json", "arrow")
#: In a table of words "NaN" and "null" are words.
_WORDS = {"keep_default_na": False}
#: Before, a dataset could bring a script.
_FIRST_WITHOUT_CODE = 4
#: Rows decoded at once: pictures make them large.
_BATCH = 32
#: When it was cached, its commit, its folder, what `datasets` noted of it.
_Entry = tuple[int, str, Path, dict[str, Any]]


def tables(spot: Spot, revision: str | None, *, streaming: bool, splits: Sequence[str] = ()) -> Iterator[Table]:
    """The tables of a dataset, one configuration after the other.

    Args:
        spot: The dataset; its configuration, where it names one, is the only one that is read.
        revision: The commit that is read; None for a folder.
        streaming: Read rows as they are downloaded, and keep nothing; otherwise everything is downloaded to `datasets`' cache.
        splits: The splits that are read; all where none is named.

    Raises:
        UserError: It cannot be read, there is no such configuration, or it is no table of a plain format.
    """
    with explained(spot):
        import datasets

        if int(datasets.__version__.partition(".")[0]) < _FIRST_WITHOUT_CODE:
            what, fix = f"datasets {datasets.__version__} runs code that datasets bring", "pip install 'rl_align[hub]'"
            raise UserError(what, expected="datasets 4 or newer", fix=fix)
        datasets.utils.logging.set_verbosity_error()
        if not sys.stderr.isatty():
            datasets.disable_progress_bars()
        names = datasets.get_dataset_config_names(spot.repo, revision=revision)
    if spot.config is not None and spot.config not in names:
        raise UserError(f"no configuration {spot.config!r}", where=str(spot), expected=f"one of {', '.join(names[:40])}")
    there: list[str] = []
    for name in names if spot.config is None else [spot.config]:
        with explained(spot):
            found = _opened(spot, name, revision, streaming)
        there += map(str, found)
        for split, rows in found.items():
            if not splits or split in splits:
                yield _table(spot, name, str(split), rows)
    if splits and not {*splits} & {*there}:
        raise UserError(f"no split {' or '.join(splits)}", where=str(spot), expected=f"them among {', '.join(there[:40])}")


def _opened(spot: Spot, name: str, revision: str | None, streaming: bool) -> Mapping[str, Any]:
    """Split → dataset."""
    import datasets

    builder = datasets.load_dataset_builder(spot.repo, name, revision=revision)
    modules = (kind.__module__ for kind in type(builder).__mro__)
    reader = next((module.rpartition(".")[2] for module in modules if "packaged_modules" in module), "")
    if reader not in _READERS:
        fix = "give a local copy in the official layout: --from FOLDER"
        raise UserError(f"made of {reader or 'unknown'} files", where=str(spot), expected=f"{', '.join(_READERS)} files", fix=fix)
    if reader == "csv":
        builder = datasets.load_dataset_builder(spot.repo, name, revision=revision, **_WORDS)
    if streaming:
        return builder.as_streaming_dataset()
    builder.download_and_prepare()
    return builder.as_dataset()


def cached_tables(spot: Spot, splits: Sequence[str] = ()) -> tuple[list[str], Iterator[Table]]:
    """What `datasets` has in its cache, at the revision that `spot` names, else at the one that was cached last.

    Returns:
        The configurations that are there, perhaps not all that the Hub has, and their tables. The Hub is not asked.
    """
    with explained(spot):
        from datasets import config
        from datasets.naming import camelcase_to_snakecase

        organisation, _, name = spot.repo.rpartition("/")
        snake = camelcase_to_snakecase(name)
        root = Path(config.HF_DATASETS_CACHE).expanduser() / "___".join(part for part in (organisation, snake) if part)
        found: dict[str, list[_Entry]] = {}
        for info in root.glob("*/*/*/dataset_info.json"):
            about = json.loads(info.read_text(encoding="utf-8"))
            entry = (info.stat().st_mtime_ns, info.parent.name, info.parent, about)
            if spot.config in (None, about["config_name"]) and info.parent.name.startswith(spot.revision or ""):
                found.setdefault(info.parent.name, []).append(entry)
    newest = sorted(max(found.values(), key=max, default=[]))
    configs = {str(about["config_name"]): (folder, about) for _, _, folder, about in newest}  # the last of each counts
    return sorted(configs), _from_cache(spot, snake, [configs[name] for name in sorted(configs)], splits)


def _from_cache(spot: Spot, snake: str, found: list[tuple[Path, dict[str, Any]]], splits: Sequence[str]) -> Iterator[Table]:
    import datasets

    for folder, about in found:
        for split in about["splits"]:
            if splits and split not in splits:
                continue
            files = sorted(str(p) for p in folder.glob("*.arrow") if p.stem.removeprefix(f"{snake}-").partition("-")[0] == split)
            with explained(spot):
                rows = datasets.load_dataset("arrow", data_files={split: files}, split=split, streaming=True)
            yield _table(spot, str(about["config_name"]), split, rows)


def _table(spot: Spot, config: str, split: str, dataset: Any) -> Table:
    where = f"{spot} {config}/{split}"

    def read() -> Iterator[Row | Dropped]:
        number = 0
        with explained(spot):
            for batch in dataset.with_format("arrow").iter(batch_size=_BATCH):
                yield from rows_of(batch, where, number)
                number += batch.num_rows

    return Table(config, split, where, read, Path(spot.repo) if spot.local else None)
