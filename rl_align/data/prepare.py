"""A source, local or on the Hub → a dataset: loaded, validated and written as a stream, with everything that was left out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from tqdm import tqdm

from rl_align.data.building import QUARANTINE, Building, beside, building
from rl_align.data.census import Census, differing, told
from rl_align.data.hub.place import PREFIX, is_hub, parse
from rl_align.data.images import ImageConfig, target_size
from rl_align.data.quarantine import Dropped, Quarantine
from rl_align.data.shards import ROWS_PER_SHARD
from rl_align.data.sources.registry import Source, source_of
from rl_align.data.untrusted import shown
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import Item


@dataclass
class PrepareConfig:
    """How a source becomes a dataset.

    Attributes:
        image: Sizes that pictures are brought to.
        rows_per_shard: Most rows of a file.
        max_dropped: Share of the records that may be left out; above it no dataset is made.
        seed: Of sources that are made and not read.
        whole: Whether the copy claims to be whole: where it holds other numbers of records than a full one, no dataset is made.
        streaming: Whether rows of the Hub are read as they are downloaded, and not kept; null: where the source is large.
        options: What the source's loader takes, such as `imageless` (msts), `tiny` (figstep) or `fields` (msr_align).
    """

    image: ImageConfig = field(default_factory=ImageConfig)
    rows_per_shard: int = ROWS_PER_SHARD
    max_dropped: float = 0.5
    seed: int = 0
    whole: bool = False
    streaming: Optional[bool] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    options: dict[str, Any] = field(default_factory=dict)


def prepare(name: str, folder: str | Path | None, out: str | Path, cfg: PrepareConfig, progress: bool = True) -> list[str]:
    """Writes the dataset of a source to a folder. The same source and settings give the same bytes.

    Memory does not grow with the source. Killed, it leaves no dataset; run again, it starts over.

    Args:
        name: The source; a Python file or module of yours (`rl_align/data/README.md`) is one, too.
        folder: Its local copy, or its place on the Hub (`hub.place.SYNTAX`); None for a source that is made here.
        out: The dataset's folder, replaced when it holds an older dataset of this source.
        cfg: How.
        progress: Whether to show a progress bar where stderr is a terminal.

    Returns:
        What was written, as lines for the console.

    Raises:
        UserError: An unknown source or option, a folder that is not there, a Hub that is not reached, a broken file, too many
            dropped records (all of them are then in `OUT.quarantine.jsonl`), a copy that is not whole where it claims to be, or a
            place that cannot be written.
    """
    source = _check(name, folder, cfg)
    name = source.name
    settings = asdict(cfg)
    census = Census(name, source.full)
    with building(out, {"name": "prepare", "source": name, "settings": settings}, cfg.rows_per_shard) as made:
        quarantine = Quarantine()
        held_out: set[str] = set()
        records, found = _records(source, folder, cfg)
        rows = tqdm(census.watch(records), desc=name, unit="row", disable=None if progress else True)
        for item in validate(rows, cfg.image, quarantine):
            made.shards.add(item)
            if item.split not in held_out and source.held_out(item):
                held_out.add(item.split)
        _check_share(quarantine, len(made.shards), cfg.max_dropped, out)
        if cfg.whole and (wrong := differing(census.table(), source.full, source.either)):
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise UserError(f"not whole ({', '.join(wrong[:5])}{more})", where=str(folder), fix="leave whole=true out for a part")
        made.meta |= {"source": name, "licence": source.licence, "use": source.use.value, "held_out": sorted(held_out)}
        made.meta |= {"records": census.table()} | ({"from": found} if found else {})
        save_quarantine(made, quarantine)
    lines = [f"read {found}"] if found else []
    return [*lines, *told(name, census.table()), *counted(made), quarantine.summary(), f"written to {out}"]


def save_quarantine(made: Building, quarantine: Quarantine) -> None:
    """Puts what was dropped into a dataset in the making: the records beside its files, their counts into its manifest."""
    quarantine.save(made.folder / QUARANTINE)
    made.meta["dropped"] = quarantine.counts


def counted(made: Building) -> list[str]:
    """A line a split: rows, how many of them harmful, expected behaviours."""
    lines = []
    for split, table in made.shards.tally.table().items():
        numbers = ", ".join(f"{value} {count}" for name in ("harmful", "expected") for value, count in table[name].items())
        lines.append(f"{shown(split, 80)}: {table['rows']} items ({numbers})")
    return lines


def _check(name: str, folder: str | Path | None, cfg: PrepareConfig) -> Source:
    source = source_of(name)
    if source.load is None:
        raise UserError(f"{name} is made, not read", fix=f"run `rl-align data make {name}`")
    if is_hub(folder) and source.hub is None:
        raise UserError(f"{name} is not on the Hub", where=str(folder)[:200], expected=f"a local copy out of {source.place}")
    if source.local and not is_hub(folder) and (folder is None or not Path(folder).is_dir()):
        what = "no folder is given" if folder is None else "no such folder"
        also = f", or {PREFIX} for {source.hub.repo} on the Hub" if source.hub else ""
        raise UserError(what, where=str(folder or "--from"), expected=f"a local copy of {name} in its official layout{also}")
    known = [p.name for p in inspect.signature(source.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if strange := [key for key in cfg.options if key not in known]:
        expected = f"some of {', '.join(known)}" if known else f"none: {name} takes no options"
        raise UserError(f"unknown option {strange[0]}", where=f"options.{strange[0]}", expected=expected)
    if not 0 <= cfg.max_dropped <= 1:
        raise UserError(f"{cfg.max_dropped} is no share", where="max_dropped", expected="0 to 1")
    sizes: Mapping[str, int] = asdict(cfg.image)
    target_size(100, 100, **sizes)
    return source


def _records(source: Source, folder: str | Path | None, cfg: PrepareConfig) -> tuple[Iterable[Item | Dropped], str | None]:
    """The source's records, and the place on the Hub that they come from."""
    assert source.load is not None
    if not source.local or folder is None:
        return source.load(cfg.seed), None
    if source.hub is None or not is_hub(folder):
        return source.load(Path(folder), **cfg.options), None
    from rl_align.data.hub.read import records

    spot = parse(str(folder), source.hub)
    return records(spot, source.hub, source.load, source.load_tables, cfg.options, cfg.streaming)


def _check_share(quarantine: Quarantine, kept: int, most: float, out: str | Path) -> None:
    dropped = len(quarantine)
    if kept and dropped <= most * (kept + dropped):
        return
    place = beside(out, QUARANTINE)
    quarantine.save(place)
    what = f"{dropped} of {kept + dropped} records cannot be used ({quarantine.summary()})"
    fix = f"look at {place}" + ("; if that is as it should be, pass max_dropped=1" if kept else "")
    raise UserError(what, where=str(out), expected=f"a share of at most {most:g}", fix=fix)
