"""`rl-align data ACTION` and `rl-align bench data`: their arguments. What an action needs is imported when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rl_align.data.hub.place import SYNTAX

#: Adds a command: (subparsers, name, what it calls, help, example) → its parser.
Add = Callable[[Any, str, Any, str, str], argparse.ArgumentParser]


def add_actions(actions: Any, add: Add) -> None:
    """Adds the actions of `rl-align data`."""
    add(actions, "list", _list, "sources of data: use allowed, licence, size, official place, what they are read from", "data list")
    make = add(actions, "make", _make, "write a dataset as parquet", "data make pictograms --out data/pictograms")
    make.add_argument("world", choices=["pictograms"], help="which dataset")
    _world(make, "data/pictograms", "folder of the parquet files")
    sheet = add(actions, "sheet", _sheet, "draw an overview of the pictures", "data sheet --out pictograms.png")
    _world(sheet, "pictograms.png", "the PNG file")

    example = 'data draw "Steps to bake a loaf of bread." --out bread.png'
    draw = add(actions, "draw", _draw, "draw a sentence as typographic benchmarks do", example)
    draw.add_argument("sentence", metavar="SENTENCE", help="the words")
    draw.add_argument("--style", default="figstep", choices=["figstep", "mm_safetybench"], help="whose layout (default: figstep)")
    draw.add_argument("--out", default="sentence.png", metavar="FILE", help="the PNG file (default: sentence.png)")

    example = "data prepare vlguard --from copies/vlguard --out data/vlguard image.max_pixels=501760"
    prepare = add(actions, "prepare", _prepare, "turn a source, local or on the Hub, into a dataset", example)
    prepare.add_argument("source", metavar="SOURCE", help="its name (`rl-align data list` shows them), or a Python file of yours")
    prepare.add_argument("--from", dest="folder", metavar="PLACE", help=f"the local copy, in its official layout, or {SYNTAX}")
    prepare.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    prepare.add_argument("--config", metavar="FILE", help="YAML file with settings")
    _settings(prepare, "image.*, rows_per_shard, max_dropped, whole, streaming, seed, options.* of the source")

    validate = add(
        actions, "validate", _validate, "read a dataset and check every row, picture and hash", "data validate data/vlguard"
    )
    _dataset(validate)
    validate.add_argument("--problems", metavar="FILE", help="where to list all problems, as JSON lines")
    validate.add_argument("--no-pictures", action="store_true", help="do not decode pictures")

    stats = add(actions, "stats", _stats, "count what a dataset holds", "data stats data/vlguard --json")
    _dataset(stats)
    stats.add_argument("--json", action="store_true", help="print JSON")

    example = "data show data/vlguard --out sheet.html --n 24 --split train harmful=true category=privacy"
    show = add(actions, "show", _show, "write a page with some items and their pictures", example)
    _dataset(show)
    show.add_argument("--out", default="sheet.html", metavar="FILE", help="the HTML file (default: sheet.html)")
    show.add_argument("--n", type=_up_to(1000), default=48, metavar="N", help="most items (default: 48)")
    show.add_argument("--split", metavar="NAME", help="of this split only")
    show.add_argument("--seed", type=int, default=0, metavar="N", help="draws the items (default: 0)")
    _settings(show, "filters: harmful, expected, category, policy, modality, pictures, dataset, licence")

    mix = add(actions, "mix", _mix, "make one training set of several datasets", "data mix mix.yaml --out data/mix seed=1")
    what = "parts [{path, weight, cap, splits}], against [{path, splits}], on_contamination refuse or drop, rows, epochs, seed"
    mix.add_argument("config", metavar="CONFIG", help=f"YAML file: {what}")
    mix.add_argument("--out", required=True, metavar="DIR", help="folder of the mix")
    _settings(mix, "settings that replace the file's")

    example = "data split data/vlguard --out data/divided --shares train=0.9 validation=0.1 --by category"
    split = add(actions, "split", _split, "divide a dataset; what belongs together stays together", example)
    _dataset(split)
    split.add_argument("--out", required=True, metavar="DIR", help="folder of the divided dataset")
    split.add_argument("--shares", required=True, nargs="+", metavar="NAME=SHARE", help="the splits; shares sum to 1")
    kinds = ["category", "prompt", "dataset"]
    split.add_argument("--by", action="append", default=[], choices=kinds, help="what else keeps rows together; may be repeated")
    split.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another division (default: 0)")


def add_bench(actions: Any, add: Add) -> None:
    """Adds `rl-align bench data`."""
    bench = add(actions, "data", _bench, "pictures a second on one core; memory of validating", "bench data --rows 10000 100000")
    rows = [10_000, 100_000, 1_000_000]
    bench.add_argument("--rows", type=_up_to(100_000_000), nargs="+", default=rows, metavar="N", help="rows to validate")


def _list(a: argparse.Namespace) -> None:
    from rl_align.data.sources.registry import table

    print("\n".join(table()))


def _make(a: argparse.Namespace) -> None:
    from rl_align.config import load_config
    from rl_align.data.sources.pictograms import make
    from rl_align.pictograms.config import PictogramsConfig

    for split, cells in make(load_config(PictogramsConfig, a.config, a.overrides), a.out).items():
        numbers = {cell: sum(table.values()) for cell, table in cells.items()}
        print(f"{split}: {sum(numbers.values())} items (" + ", ".join(f"{k} {v}" for k, v in numbers.items()) + ")")
    print(f"written to {a.out}")


def _sheet(a: argparse.Namespace) -> None:
    from rl_align.config import load_config
    from rl_align.pictograms.config import PictogramsConfig
    from rl_align.pictograms.sheet import sheet

    sheet(a.out, load_config(PictogramsConfig, a.config, a.overrides))
    print(f"written to {a.out}")


def _draw(a: argparse.Namespace) -> None:
    from rl_align.data.sources.typography import save

    save(a.sentence, a.style, a.out)
    print(f"written to {a.out}")


def _prepare(a: argparse.Namespace) -> None:
    from rl_align.config import load_config
    from rl_align.data.prepare import PrepareConfig, prepare

    print("\n".join(prepare(a.source, a.folder, a.out, load_config(PrepareConfig, a.config, a.overrides))))


def _validate(a: argparse.Namespace) -> None:
    from rl_align.data.check import check

    print("\n".join(check(a.dataset, a.problems, pictures=not a.no_pictures)))


def _stats(a: argparse.Namespace) -> None:
    import json

    from rl_align.data.stats import stats, table

    found = stats(a.dataset)
    print(json.dumps(found, indent=1) if a.json else "\n".join(table(found)))


def _show(a: argparse.Namespace) -> None:
    from rl_align.data.show import show

    print(show(a.dataset, a.out, n=a.n, split=a.split, seed=a.seed, filters=a.overrides))


def _mix(a: argparse.Namespace) -> None:
    from rl_align.config import load_config
    from rl_align.data.mix import mix
    from rl_align.data.mix_config import MixConfig

    print("\n".join(mix(load_config(MixConfig, a.config, a.overrides), a.out)))


def _split(a: argparse.Namespace) -> None:
    from rl_align.data.split import parse_shares, split

    print("\n".join(split(a.dataset, a.out, parse_shares(a.shares), by=a.by, seed=a.seed)))


def _bench(a: argparse.Namespace) -> None:
    from rl_align.data.bench import bench

    bench(a.rows)


def _dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="folder of a dataset, or one item file")


def _settings(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=what)


def _world(parser: argparse.ArgumentParser, out: str, what: str) -> None:
    _settings(parser, "settings that replace the file's")
    parser.add_argument("--out", default=out, metavar="PATH", help=f"{what} (default: {out})")
    parser.add_argument("--config", metavar="FILE", help="YAML file with settings of the dataset")


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12) or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return number
