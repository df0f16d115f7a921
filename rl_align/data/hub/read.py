"""The records of a source on the Hub: where they come from is tried in order, and said."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rl_align.data.hub.files import cached_snapshot, snapshot
from rl_align.data.hub.place import Hub, Spot
from rl_align.data.hub.reach import NotReached, commit
from rl_align.data.hub.tables import cached_tables, tables
from rl_align.data.quarantine import Dropped
from rl_align.errors import UserError
from rl_align.schema import Item

Records = Iterable[Item | Dropped]


def records(
    spot: Spot,
    hub: Hub,
    load: Callable[..., Records],
    load_tables: Callable[..., Records] | None,
    options: Mapping[str, Any],
    streaming: bool | None = None,
) -> tuple[Records, str | None]:
    """Items and drops of a source, and in a few words where they were found; None for a folder.

    Args:
        spot: What a person named.
        hub: How the source is kept there.
        load: The loader of local copies.
        load_tables: The loader of tables, where the source is kept as such.
        options: For the loader.
        streaming: Whether rows are read as they are downloaded; None leaves it to the source's size.

    Raises:
        NotReached: The Hub did not answer, and nothing is cached.
        UserError: It cannot be read.
    """
    if hub.files is None and load_tables is not None:
        known = inspect.signature(load_tables).parameters
        if strange := [name for name in options if name not in known]:
            what = f"{strange[0]} is an option of local copies"
            raise UserError(what, where=f"options.{strange[0]}", fix="leave it out, or give a local copy: --from FOLDER")
    if spot.local:
        if load_tables is None or hub.files is not None:
            raise UserError("its pictures are files", where=str(spot), fix=f"give the folder without hf:: --from {spot.repo}")
        return load_tables(tables(spot, None, streaming=bool(streaming), splits=hub.splits), **options), None
    try:
        revision = commit(spot)
    except NotReached as error:
        return _cached(spot, hub, load, load_tables, options, error)
    found = f"hf:{spot.repo}@{revision}" + (f":{spot.config}" if spot.config else "")
    if hub.files is not None or load_tables is None:
        _no_config(spot)
        return load(snapshot(spot, revision, hub.files or ("*",)), **options), found
    stream = hub.large if streaming is None else streaming
    return load_tables(tables(spot, revision, streaming=stream, splits=hub.splits), **options), found


def _cached(
    spot: Spot,
    hub: Hub,
    load: Callable[..., Records],
    load_tables: Callable[..., Records] | None,
    options: Mapping[str, Any],
    error: NotReached,
) -> tuple[Records, str]:
    if hub.files is None and load_tables is not None:
        configs, found = cached_tables(spot, hub.splits)
        if configs:
            return load_tables(found, **options), f"{spot} in datasets' cache, which has {', '.join(configs)}"
    copy: Path | None = cached_snapshot(spot)
    if copy is None:
        raise error
    _no_config(spot)
    return load(copy, **options), f"{spot} in the Hub's cache ({copy.name[:12]})"


def _no_config(spot: Spot) -> None:
    if spot.config is not None:
        raise UserError("its files have no configurations", where=str(spot), fix=f"leave :{spot.config} out")
