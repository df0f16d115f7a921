"""Datasets → one training set: weighted, capped, without duplicates, and without what evaluation would be given away by."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rl_align.data.building import CONTAMINATION, beside, building
from rl_align.data.contamination import Evaluation, Hits
from rl_align.data.dataset import Dataset, open_dataset
from rl_align.data.fingerprint import look, text_key
from rl_align.data.mix_config import TRAIN, MixConfig, OnContamination, PartConfig, check_mix
from rl_align.data.prepare import counted, save_quarantine
from rl_align.data.proportions import Share, allot
from rl_align.data.quarantine import DataError, Dropped, Quarantine
from rl_align.data.seen import Seen
from rl_align.data.shuffle import rank, shuffled
from rl_align.data.sources.mix import OVER_LIMIT
from rl_align.data.sources.registry import Use
from rl_align.data.training_set import refused, training_set
from rl_align.data.untrusted import shown
from rl_align.data.validate import DUPLICATE_ID
from rl_align.errors import UserError
from rl_align.schema import Item

DUPLICATE, CONTAMINATED, NOT_DRAWN = "duplicate", "contaminated", "not_drawn"


@dataclass
class _Part:
    """A part with what the first pass finds: ranks and positions of its usable rows, whether its ids are another part's, too."""

    dataset: Dataset
    cfg: PartConfig
    ranks: array = field(default_factory=lambda: array("Q"))
    places: array = field(default_factory=lambda: array("Q"))
    ids_taken: bool = False

    def rows(self) -> Iterator[tuple[int, Item | Dropped]]:
        """Position and record of every row of its splits; positions are the same in every pass."""
        return enumerate(self.dataset.scan(self.cfg.splits))


def mix(cfg: MixConfig, out: str | Path, progress: bool = True) -> list[str]:
    """Writes a mix to a folder; the same datasets and settings give the same bytes.

    Every row is read twice. The evaluation side is held in memory (`Evaluation`), of the training side 16 bytes a row.

    Returns:
        What was written, as lines for the console.

    Raises:
        UserError: No parts, a dataset that may not be trained on, contamination (all of it is then in `OUT.contamination.jsonl`),
            too few rows, or a place that cannot be written.
    """
    check_mix(cfg)
    parts = [_Part(training_set(part.path, part.splits), part) for part in cfg.parts]
    against = [(open_dataset(other.path, hashes=True), other.splits) for other in cfg.against]
    with building(out, {"name": "mix", "settings": asdict(cfg)}, cfg.rows_per_shard) as made:
        quarantine, hits = Quarantine(), Hits()
        evaluation = _guarded(against)
        _survey(parts, evaluation, quarantine, hits, cfg.seed, progress)
        if hits.count and cfg.on_contamination is OnContamination.REFUSE:
            _refuse(hits, beside(out, CONTAMINATION))
        hits.save(made.folder / CONTAMINATION)
        numbers = [min(len(part.places), part.cfg.cap or len(part.places)) for part in parts]
        if empty := [part for part in parts if not part.places]:
            what = f"no usable rows of {', '.join(empty[0].cfg.splits) or 'any split'} ({quarantine.summary()})"
            raise UserError(what, where=empty[0].cfg.path, fix="check its `splits`, or leave it out")
        shares = [Share(part.cfg.path, number, part.cfg.weight) for part, number in zip(parts, numbers, strict=True)]
        taken = allot(shares, cfg.epochs, cfg.rows)
        size = sum(file.stat().st_size for part in parts for file in part.dataset.files)
        drawn = _drawn(parts, numbers, taken, quarantine)
        for item in shuffled(drawn, cfg.seed, int(size * max(1.0, cfg.epochs)), made.folder / ".shuffle"):
            made.shards.add(item)
        table = {part.cfg.path: {"usable": n, "taken": k} for part, n, k in zip(parts, numbers, taken, strict=True)}
        made.meta |= {"use": Use.TRAIN.value, "held_out": [], "parts": table, "guarded": len(evaluation)}
        save_quarantine(made, quarantine)
    checked = (
        f"checked against {len(evaluation)} evaluation items" if against else "no evaluation data given: contamination not checked"
    )
    lines = [f"{path}: {row['taken']} rows of {row['usable']}" for path, row in table.items()]
    return [*lines, *counted(made), quarantine.summary(), checked, f"written to {out}"]


def _guarded(against: list[tuple[Dataset, list[str]]]) -> Evaluation:
    evaluation = Evaluation()
    for dataset, splits in against:
        before = len(evaluation)
        for record in dataset.scan(splits):
            try:
                if not isinstance(record, Item):
                    raise DataError(record.reason, record.detail)
                evaluation.add(record, str(dataset.path))
            except DataError as error:
                fix = "an evaluation item that cannot be read cannot be kept out of training: `rl-align data validate` lists them"
                raise UserError(str(error), where=str(dataset.path), fix=fix) from error
        if len(evaluation) == before:
            raise UserError("no rows of these splits", where=str(dataset.path), expected="evaluation items", fix="check `splits`")
    return evaluation


def _survey(parts: list[_Part], evaluation: Evaluation, quarantine: Quarantine, hits: Hits, seed: int, progress: bool) -> None:
    """The first pass: which rows can be used, in which order they are drawn."""
    questions, ids = Seen(), [Seen() for _ in parts]
    everyone = Seen()
    for number, part in enumerate(parts):
        bar = tqdm(part.rows(), desc=shown(part.dataset.path.name, 40), unit="row", disable=None if progress else True)
        for place, item in bar:
            if isinstance(item, Dropped):
                quarantine.drop(item.item, item.reason, item.detail)
                continue
            if reason := refused(part.dataset, item):
                raise UserError(reason, where=f"{part.cfg.path}: {shown(item.id, 100)}", fix="leave it out of the parts")
            try:
                text, looks = text_key(item.prompt), [look(image) for image in item.images]
            except DataError as error:
                quarantine.drop(item.id, error.reason, error.detail)
                continue
            found = list(evaluation.hits(item, text, looks, part.cfg.path))
            if found:
                hits.add(found)
                quarantine.drop(item.id, CONTAMINATED, f"{found[0].rule}: {found[0].evaluation}")
            elif not ids[number].add(item.id):
                quarantine.drop(item.id, DUPLICATE_ID, part.cfg.path)
            elif not questions.add(text, *(seen.key for seen in looks)):
                quarantine.drop(item.id, DUPLICATE, part.cfg.path)
            else:
                part.ids_taken |= not everyone.add(item.id)
                part.ranks.append(rank(seed, f"{number}/{item.id}"))
                part.places.append(place)


def _drawn(parts: list[_Part], numbers: list[int], taken: list[int], quarantine: Quarantine) -> Iterator[Item]:
    """The second pass: the rows of the mix, with ids of their own; the rows that were not drawn go to the quarantine."""
    for i, (part, number, count) in enumerate(zip(parts, numbers, taken, strict=True)):
        order = np.argsort(np.array(part.ranks, dtype=np.uint64), kind="stable")
        places = np.array(part.places, dtype=np.uint64)[order]
        times = dict(zip(places[:number].tolist(), _times(number, count), strict=True))
        usable = set(part.places)
        prefix = f"{i}/" if part.ids_taken else ""
        for place, item in part.rows():
            if place not in usable or isinstance(item, Dropped):
                continue
            if not (repeats := times.get(place, 0)):
                reason = NOT_DRAWN if place in times else OVER_LIMIT
                quarantine.drop(item.id, reason, f"{part.cfg.path}: {count} rows taken of {number}")
            for k in range(repeats):
                twin = None if item.twin is None else f"{prefix}{item.twin}"
                yield replace(item, id=f"{prefix}{item.id}" + (f"#{k + 1}" if k else ""), twin=twin, split=TRAIN)


def _times(number: int, count: int) -> list[int]:
    """How often each of `number` rows occurs, in the order in which they are drawn, so that there are `count`."""
    whole, rest = divmod(count, number) if number else (0, 0)
    return [whole + (k < rest) for k in range(number)]


def _refuse(hits: Hits, place: Path) -> None:
    hits.save(place)
    print("\n".join(hits.shown()))
    what = f"training data give evaluation items away {hits.count} times"
    raise UserError(what, where=str(place), fix="leave those rows out: on_contamination=drop does")
