"""A contact sheet: every object, and an example of every cell with its prompt and what is right."""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rl_align.pictograms.config import PictogramsConfig, check
from rl_align.pictograms.draw import Scene, Spread, draw
from rl_align.pictograms.items import examples
from rl_align.pictograms.world import CLASSES, COLOURS
from rl_align.schema import Item

_GAP, _CAPTION, _COLUMNS = 10, 16, 8
_PAPER, _TEXT = (255, 255, 255), (30, 30, 30)


def sheet(path: Path | str, cfg: PictogramsConfig | None = None) -> None:
    """Writes the sheet of a dataset as a PNG.

    Raises:
        UserError: A value of `cfg` that no dataset can be made from.
    """
    cfg = cfg or PictogramsConfig()
    check(cfg)
    cards = [_object_card(name, hazard, cfg) for hazard, names in CLASSES.items() for name in names]
    cells = [_item_card(item, cfg.image_size) for item in examples(cfg)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _stack(_grid(cards, _COLUMNS), _grid(cells, _COLUMNS // 2)).save(path, "PNG", optimize=True)


def _object_card(name: str, hazard: str, cfg: PictogramsConfig) -> Image.Image:
    size = cfg.image_size
    colour = list(COLOURS)[sum(map(ord, name)) % len(COLOURS)]
    card = Image.new("RGB", (size + _GAP, size + _CAPTION + _GAP), _PAPER)
    card.paste(
        draw(Scene(name, colour), cfg.seed, f"sheet-{name}", size, Spread(cfg.shift, cfg.stretch, cfg.turn, cfg.clutter)), (0, 0)
    )
    _write(card, (0, size + 1), f"{name} · {hazard}", 11)
    return card


def _item_card(item: Item, size: int) -> Image.Image:
    card = Image.new("RGB", (2 * (size + _GAP), size + _GAP), _PAPER)
    card.paste(item.images[0].decode().convert("RGB"), (0, 0))
    cited = ", ".join(map(str, item.citations)).replace("_", " ") or "no policy"
    lines = [
        item.category or "",
        *textwrap.wrap(f"“{item.prompt}”", 20),
        *textwrap.wrap(f"{', '.join(map(str, item.expected))}: {cited}".replace("_", " "), 22),
    ]
    for k, line in enumerate(lines):
        _write(card, (size + 5, 13 * k), line, 11)
    return card


def _write(card: Image.Image, at: tuple[int, int], text: str, size: int) -> None:
    ImageDraw.Draw(card).text(at, text, _TEXT, ImageFont.load_default(size))


def _grid(cards: list[Image.Image], columns: int) -> Image.Image:
    if not cards:
        return Image.new("RGB", (1, 1), _PAPER)
    w, h = cards[0].size
    page = Image.new("RGB", (columns * w + _GAP, -(-len(cards) // columns) * h + _GAP), _PAPER)
    for k, card in enumerate(cards):
        page.paste(card, (_GAP + k % columns * w, _GAP + k // columns * h))
    return page


def _stack(*pages: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (max(p.width for p in pages), sum(p.height for p in pages)), _PAPER)
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole
