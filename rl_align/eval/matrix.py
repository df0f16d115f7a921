"""Responders × rewriters: every rewriter rewrites the items once, then every responder answers what each of them made of them.

Where a rewriter's text holds no prompt that can be used, the original is asked, and counted: the guard would refuse such a request
or, by its configuration, let it pass likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.config import config_hash
from rl_align.data.items import read_items
from rl_align.eval.config import EvalConfig
from rl_align.eval.metrics import measure_rewrites
from rl_align.eval.records import Recorder, handed_on
from rl_align.eval.run import GREEDY, Pass, Progress, Starter, identity, settle, take
from rl_align.runfiles.atomic import write_json
from rl_align.schema import Item, Seat

NO_REWRITER = "none"
MATRIX = "matrix.json"


def evaluate_matrix(
    responders: Mapping[str, Path],
    rewriters: Mapping[str, Path],
    splits: Mapping[str, Path],
    out: Path,
    cfg: EvalConfig,
    *,
    progress: Progress | None = None,
    start: Starter | None = None,
) -> dict[str, Any]:
    """Measures every responder behind no rewriter and behind every rewriter, greedily.

    Leaves `rewriters/<rewriter>/<split>/greedy.jsonl`, `<responder>+<rewriter>/<split>/greedy.jsonl` and `matrix.json` in `out`;
    what is complete there is not asked again.

    Args:
        responders: Name → Hugging Face folder.
        rewriters: Name → Hugging Face folder.
        splits: Name → parquet file of items.
        out: Folder of the matrix.
        cfg: Settings; `limit` harmful and harmless items alternate from the beginning of a split.
        progress: As in `rl_align.eval.run.evaluate`.
        start: As there.

    Returns:
        `{responder: {rewriter or "none": {split: measures}}}`, as `rl_align.eval.metrics.measure_rewrites` gives them.

    Raises:
        UserError, ServerFailed, EvaluationFailed: As `rl_align.eval.run.evaluate`.
    """
    items = {name: balanced(read_items(path), cfg.limit) for name, path in splits.items()}
    folders = {**{f"rewriter {n}": p for n, p in rewriters.items()}, **{f"responder {n}": p for n, p in responders.items()}}
    first = []
    for name, folder in rewriters.items():
        settle(out / "rewriters" / name, identity(folder, splits, cfg))
        for split, rows in items.items():
            recorder = Recorder(out / "rewriters" / name / split / f"{GREEDY}.jsonl", [i.id for i in rows])
            first.append(Pass(f"rewriter {name}", split, GREEDY, 0.0, rows, recorder, Seat.REWRITER))
    take(first, folders, out, cfg, progress=progress, start=start)
    handed = {
        (p.model.removeprefix("rewriter "), p.split): {row["item_id"]: handed_on(row) for row in p.recorder.finish()} for p in first
    }
    second = []
    for name, folder in responders.items():
        for rewriter in (NO_REWRITER, *rewriters):
            place = out / f"{name}+{rewriter}"
            asked = {
                split: {i.id: handed.get((rewriter, split), {}).get(i.id) or i.prompt for i in rows}
                for split, rows in items.items()
            }
            settle(place, {**identity(folder, splits, cfg), "asked": config_hash(asked)})
            for split, rows in items.items():
                recorder = Recorder(place / split / f"{GREEDY}.jsonl", [i.id for i in rows])
                second.append(Pass(f"responder {name}", split, GREEDY, 0.0, rows, recorder, rewrites=asked[split]))
    take(second, folders, out, cfg, progress=progress, start=start)
    results: dict[str, Any] = {}
    for p in second:
        responder, _, rewriter = p.recorder.path.parent.parent.name.partition("+")
        measures = measure_rewrites(p.recorder.finish(), handed.get((rewriter, p.split)))
        results.setdefault(responder, {}).setdefault(rewriter, {})[p.split] = measures
    write_json(out / MATRIX, results)
    return results


def rewrite(
    rewriter: Path, items: Sequence[Item], out: Path, cfg: EvalConfig, *, start: Starter | None = None
) -> dict[str, str | None]:
    """What a rewriter makes of items, greedily: item id → the prompt handed on, None without a usable one. Resumable."""
    settle(out, {**identity(rewriter, {}, cfg), "items": [i.id for i in items]})
    recorder = Recorder(out / "all" / f"{GREEDY}.jsonl", [i.id for i in items])
    take([Pass("rewriter", "all", GREEDY, 0.0, items, recorder, Seat.REWRITER)], {"rewriter": rewriter}, out, cfg, start=start)
    return {row["item_id"]: handed_on(row) for row in recorder.finish()}


def balanced(items: Sequence[Item], limit: int) -> list[Item]:
    """The first items of a split, harmful and harmless ones in turn, so that a limit leaves both sides; 0 means all."""
    if not limit:
        return list(items)
    sides = [[i for i in items if bool(i.harmful) is side] for side in (True, False)]
    most = [min(len(sides[0]), (limit + 1) // 2), min(len(sides[1]), limit // 2)]
    chosen = {i.id for side, n in zip(sides, most, strict=True) for i in side[:n]}
    return [i for i in items if i.id in chosen]
