"""Every source of data: where its loader is, where it comes from, its licence, its size, and what it may be used for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType

from rl_align import outside
from rl_align.data.hub.place import PREFIX, Hub
from rl_align.data.quarantine import Dropped
from rl_align.data.sources import (
    advbench,
    ailuminate,
    beavertails_v,
    figstep,
    figstep_pro,
    hades,
    harmbench,
    holisafe,
    jailbreakv_28k,
    mathvista,
    mis,
    mm_safetybench,
    mm_vet,
    mmmu,
    mmstar,
    mossbench,
    msr_align,
    mssbench,
    msts,
    or_bench,
    scienceqa,
    siuo,
    spa_vl,
    special,
    strong_reject,
    vlguard,
    wildjailbreak,
    xstest,
)
from rl_align.errors import UserError
from rl_align.schema import Item


class Use(str, Enum):
    """What a source may be used for; what it is called in tables."""

    TRAIN = "train"
    #: A benchmark: training on it would make its numbers worthless, and is done on request only.
    EVALUATION = "evaluation only"
    #: Its makers forbid training on it.
    TEST = "test only"


@dataclass(frozen=True)
class Source:
    """One source.

    Attributes:
        name: What configurations call it.
        load: Items and drops of a local copy; None where the data are made and not read.
        licence: Of the data; SPDX id or the source's own words.
        size: Records of a full copy, by part where the parts differ.
        holds: What is in it, in a few words.
        use: What it may be used for.
        train: The splits to train on; the others are held out. Empty where all are.
        local: Whether it is read, from a folder or the Hub, and not made.
        shares: The source whose local copy holds this one, too.
        place: Its official place.
        hub: Its place on the Hugging Face Hub, where it can be read from there.
        load_tables: The loader of tables, where it comes as such.
        full: Beginning of ids → records that a full copy gives; "" stands for all. Empty where no size is known.
        either: Whether a copy is read for one of these parts alone, such as a full or a tiny version.
    """

    name: str
    load: Callable[..., Iterable[Item | Dropped]] | None
    licence: str
    size: str
    holds: str
    use: Use
    train: tuple[str, ...] = ()
    local: bool = True
    shares: str | None = None
    place: str = "made here"
    hub: Hub | None = None
    load_tables: Callable[..., Iterable[Item | Dropped]] | None = None
    full: Mapping[str, int] = field(default_factory=dict)
    either: bool = False

    @property
    def folder(self) -> str:
        """Name of the folder that a local copy stands in."""
        return self.shares or self.name

    def held_out(self, item: Item) -> bool:
        """Whether an item is no training data."""
        return self.use is not Use.TRAIN or bool(self.train and item.split not in self.train)


def _source(module: ModuleType, use: Use, size: str, holds: str, *train: str, shares: str | None = None) -> Source:
    known = {name: getattr(module, name.upper()) for name in ("hub", "full", "either") if hasattr(module, name.upper())}
    known |= {"load_tables": getattr(module, "load_tables", None), "place": module.PLACE, "shares": shares}
    return Source(module.DATASET, module.load, module.LICENCE, size, holds, use, train, **known)


_SOURCES = (
    Source("pictograms", None, "Apache-2.0", "any", "procedural world", Use.TRAIN, ("train",), local=False),
    Source(
        *(special.DATASET, special.load, special.LICENCE, "49", "harmless stress items", Use.TRAIN), local=False, full=special.FULL
    ),
    _source(msr_align, Use.TRAIN, "unknown", "policy-grounded reasoning, pictures", "train"),
    _source(beavertails_v, Use.TRAIN, "20 categories, evaluation 1,180", "harmful questions, pictures, judged answers", "train"),
    _source(spa_vl, Use.TRAIN, "93,258 + 7,000 + 265 + 265", "preference pairs, pictures", "train", "dpo"),
    _source(vlguard, Use.TRAIN, "2,000 + 1,000", "safe and unsafe pictures and instructions", "train"),
    _source(wildjailbreak, Use.TRAIN, "261,559 + 2,210", "vanilla and adversarial prompts, text", "train"),
    _source(siuo, Use.EVALUATION, "167 + 167", "safe picture, safe text, unsafe pair"),
    _source(mm_safetybench, Use.EVALUATION, "1,680 x 4", "13 scenarios, pictures and typography"),
    _source(figstep, Use.EVALUATION, "500 x 2, tiny 50 x 2", "typographic pictures"),
    _source(figstep_pro, Use.EVALUATION, "50", "typographic pictures in pieces", shares=figstep.DATASET),
    _source(mis, Use.EVALUATION, "1,675 + 510 + 100", "unsafe pairs of pictures"),
    _source(holisafe, Use.EVALUATION, "4,031", "every combination of safe and unsafe"),
    _source(jailbreakv_28k, Use.EVALUATION, "28,000 + 2,000", "jailbreaks with pictures, red-team questions"),
    _source(hades, Use.EVALUATION, "698 MB", "harm moved into pictures"),
    _source(mssbench, Use.EVALUATION, "chat and embodied pairs", "safe and unsafe situations"),
    _source(msts, Use.EVALUATION, "400 + 10 x 200", "harmless sentence, unsafe with its picture"),
    _source(xstest, Use.EVALUATION, "450", "over-refusal, text"),
    _source(or_bench, Use.EVALUATION, "80,359 + 1,319 + 655", "over-refusal, text"),
    _source(mossbench, Use.TEST, "300 + 244", "over-refusal, pictures"),
    _source(strong_reject, Use.EVALUATION, "313", "forbidden prompts, text"),
    _source(advbench, Use.EVALUATION, "520", "harmful requests, text"),
    _source(harmbench, Use.EVALUATION, "400 + 110", "behaviors, text and pictures"),
    _source(ailuminate, Use.EVALUATION, "1,200 + 1,200", "hazards in English and French, text"),
    _source(mathvista, Use.EVALUATION, "1,000", "utility: mathematics"),
    _source(mmmu, Use.EVALUATION, "900 + 10,500", "utility: college subjects"),
    _source(mm_vet, Use.EVALUATION, "218", "utility: integrated abilities"),
    _source(mmstar, Use.EVALUATION, "1,500", "utility: multiple choice"),
    _source(scienceqa, Use.TRAIN, "12,726 + 4,241 + 4,241", "utility: school science", "train"),
)

#: Name → source.
SOURCES = {source.name: source for source in _SOURCES}


def source_of(name: str) -> Source:
    """The source of this name, or that of a Python file or module with `DATASET`, `LICENCE`, `USE` and `load`.

    Raises:
        UserError: There is none, or the module cannot be used.
    """
    if name in SOURCES:
        return SOURCES[name]
    if not outside.is_outside(name):
        expected = f"a Python file, or one of {', '.join(SOURCES)}"
        raise UserError(f"unknown source {name!r}", expected=expected, fix="see `rl-align data list`")
    module = outside.load(name, ("DATASET", "LICENCE", "USE", "load"))
    uses = [use.value for use in Use]
    if module.USE not in uses:
        raise UserError(f"USE is {module.USE!r}", where=name, expected=f"one of {', '.join(uses)}")
    if module.DATASET in SOURCES:
        raise UserError(f"DATASET is {module.DATASET!r}, a source that is there", where=name, expected="a name of its own")
    place, train = getattr(module, "PLACE", name), getattr(module, "TRAIN", ())
    return Source(module.DATASET, module.load, module.LICENCE, "unknown", "", Use(module.USE), train, place=place)


def not_for_training(name: str) -> str | None:
    """Why a source must not be trained on, in a clause; None when it may, or is not known."""
    use = SOURCES[name].use if name in SOURCES else Use.TRAIN
    if use is Use.TEST:
        return f"{name} is for tests only: its makers forbid training on it"
    if use is Use.EVALUATION:
        return f"{name} is a benchmark: a model trained on it cannot be measured with it"
    return None


def table() -> list[str]:
    """The sources as lines of aligned columns, the header first."""
    rows = [("name", "use", "licence", "size", "official place", "read from", "holds")]
    rows += [(s.name, s.use.value, s.licence, s.size, s.place, _read_from(s), s.holds) for s in _SOURCES]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows]


def _read_from(source: Source) -> str:
    if not source.local:
        return "-"
    return f"folder or {PREFIX}{source.hub.repo}" if source.hub else "folder"
