"""A sheet of items for people: one self-contained page. It holds no script and loads nothing."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rl_align.data.dataset import open_dataset
from rl_align.data.files import replacing
from rl_align.data.quarantine import Dropped
from rl_align.data.shuffle import rank
from rl_align.data.tally import kinds
from rl_align.data.untrusted import picture, shown
from rl_align.errors import UserError
from rl_align.schema import Item

FILTERS = ("harmful", "expected", "category", "policy", "modality", "pictures", "dataset", "licence")
_HARM = {"true": "harmful", "yes": "harmful", "false": "benign", "no": "benign"}
_MAX_PICTURES = 8


def show(
    path: str | Path, out: str | Path, *, n: int = 48, split: str | None = None, seed: int = 0, filters: Sequence[str] = ()
) -> str:
    """Writes a page with items of a dataset, drawn by `seed`. At most `n` items are held in memory.

    Args:
        path: The dataset.
        out: The HTML file.
        n: Most items.
        split: Draw from this split; None for all.
        seed: The same seed shows the same items.
        filters: `name=value` with a name of `FILTERS` and a value as `rl-align data stats` shows them; all must hold.

    Returns:
        One line for the console.

    Raises:
        UserError: No dataset, an unknown filter, nothing that matches, or a place that cannot be written.
    """
    wanted = _wanted(filters)
    chosen: list[tuple[int, int, Item]] = []
    rows = matching = broken = 0
    for record in open_dataset(path).scan():
        rows += 1
        if isinstance(record, Dropped):
            broken += 1
        elif (split is None or record.split == split) and _matches(record, wanted):
            matching += 1
            entry = (-rank(seed, record.id), -rows, record)  # the largest rank lies on top of the heap; rows tell ties apart
            heapq.heappush(chosen, entry) if len(chosen) < n else heapq.heappushpop(chosen, entry)
    if not chosen:
        unread = f"; {broken} cannot be read" if broken else ""
        raise UserError(f"none of {rows} items match{unread}", where=str(path), fix="see `rl-align data stats` for what is there")
    content = {
        "name": shown(Path(path).resolve().name, 100),
        "cards": [_card(item) for _, _, item in sorted(chosen, key=lambda entry: entry[:2], reverse=True)],
        "matching": matching,
        "rows": rows,
        "seed": seed,
        "filters": shown(", ".join([*([f"split={split}"] if split else []), *filters]), 200),
    }
    page = _environment().get_template("sheet.html.j2").render(**content)
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return f"{len(chosen)} of {matching} matching items{f'; {broken} rows cannot be read' if broken else ''}; written to {out}"


def _environment() -> Environment:
    loader = PackageLoader("rl_align.data", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _wanted(filters: Sequence[str]) -> dict[str, str]:
    wanted = {}
    for text in filters:
        name, equals, value = text.partition("=")
        if not equals or name not in FILTERS:
            raise UserError(f"unknown filter {text!r}", expected=f"name=value with a name out of {', '.join(FILTERS)}")
        wanted[name] = _HARM.get(value.lower(), value) if name == "harmful" else value
    return wanted


def _matches(item: Item, wanted: dict[str, str]) -> bool:
    found = kinds(item)
    return all(value in found[name] for name, value in wanted.items())


def _card(item: Item) -> dict[str, Any]:
    harm = kinds(item)["harmful"][0]
    facts = [item.split, harm if harm != "unknown" else "harm unknown", f"expected {' or '.join(item.expected) or 'unknown'}"]
    facts += [fact for fact in (item.category, ", ".join(map(str, item.citations)), item.licence) if fact]
    return {
        "id": shown(item.id, 150),
        "facts": shown(" · ".join(facts), 300),
        "pictures": [picture(image.data) for image in item.images[:_MAX_PICTURES]],
        "prompt": shown(item.prompt),
        "reference": shown(item.reference, 600),
    }
