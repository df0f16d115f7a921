"""Evaluates models on splits: one server a model, all splits and temperatures in one pass over it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rl_align.data.items import read_items
from rl_align.endpoints.serving import Server, serving, tail
from rl_align.errors import UserError
from rl_align.eval.config import EvalConfig, check
from rl_align.eval.metrics import measure
from rl_align.eval.quiet import quiet_inspect
from rl_align.eval.records import Recorder, outcomes, remove
from rl_align.models.vocabulary import special_tokens
from rl_align.runfiles.atomic import write_json
from rl_align.schema import Item, Seat

GREEDY, SAMPLED = "greedy", "sampled"
RESULTS, IDENTITY = "results.json", "identity.json"

#: Told after every answer: answers there are, answers there will be.
Progress = Callable[[int, int], None]
Starter = Callable[[Mapping[str, Path], EvalConfig, Path], Any]


class EvaluationFailed(RuntimeError):
    """Answers are missing. What was answered is kept; the same call continues."""


@dataclass
class Pass:
    """One pass: a model over a split at a temperature.

    Attributes:
        model: Name of the model.
        split: Name of the split.
        kind: GREEDY or SAMPLED.
        temperature: Of its sampling.
        items: What is asked.
        recorder: Takes the judged answers.
        seat: What the model is asked as: a responder answers, a rewriter rewrites.
        rewrites: Item id → the prompt that a responder is asked instead of the item's.
    """

    model: str
    split: str
    kind: str
    temperature: float
    items: Sequence[Item]
    recorder: Recorder
    seat: Seat = Seat.RESPONDER
    rewrites: Mapping[str, str] | None = None


def evaluate(
    models: Mapping[str, Path | str],
    splits: Mapping[str, Path | str],
    out_dir: Path | str,
    cfg: EvalConfig,
    *,
    progress: Progress | None = None,
    start: Starter | None = None,
) -> dict[str, Any]:
    """Measures every model on every split.

    Leaves `<model>/<split>/greedy.jsonl` and `sampled.jsonl` (one judged answer a line), `results.json`, server logs and
    Inspect's logs in `out_dir`. A pass that is complete there is not run again, and a broken one continues behind its last
    answer, as long as model, items and settings are the same.

    Args:
        models: Name → Hugging Face folder.
        splits: Name → parquet file of items.
        out_dir: Folder of the evaluation.
        cfg: Settings.
        progress: Told after every answer; prints a bar to standard error by default.
        start: Starts servers, `(models, cfg, logs) -> context of {name: Server}`; vLLM's by default.

    Returns:
        `{model: {split: {"greedy" | "sampled": measures}}}`, measures as `rl_align.eval.metrics.measure` gives them, with the
        temperature and the mean number of tokens.

    Raises:
        UserError: A model folder, a split or a setting that cannot be used.
        ServerFailed: A server did not come up.
        EvaluationFailed: A server failed on the way.
    """
    check(cfg)
    if not models or not splits:
        raise UserError("nothing to evaluate", where="eval", expected="at least one model and one split")
    out, folders = Path(out_dir), {name: Path(folder) for name, folder in models.items()}
    items = {name: read_items(path)[: cfg.limit or None] for name, path in splits.items()}
    passes = []
    for name, folder in folders.items():
        settle(out / name, identity(folder, splits, cfg))
        for split, rows in items.items():
            for kind, temperature in _temperatures(cfg):
                recorder = Recorder(out / name / split / f"{kind}.jsonl", [i.id for i in rows])
                passes.append(Pass(name, split, kind, temperature, rows, recorder))
    take(passes, folders, out, cfg, progress=progress, start=start)
    results: dict[str, Any] = {}
    for p in passes:
        rows = p.recorder.finish()
        measures = measure(outcomes(rows))
        measures |= {"temperature": p.temperature, "mean_tokens": sum(r["tokens"] for r in rows) / len(rows)}
        results.setdefault(p.model, {}).setdefault(p.split, {})[p.kind] = measures
    write_json(out / RESULTS, results)
    return results


def take(
    passes: Sequence[Pass],
    folders: Mapping[str, Path],
    out: Path,
    cfg: EvalConfig,
    *,
    progress: Progress | None = None,
    start: Starter | None = None,
) -> None:
    """Has every pass's model answer what its recorder misses, as many servers at once as configured.

    Args:
        passes: The passes.
        folders: Model → Hugging Face folder.
        out: Folder of the evaluation; server logs and Inspect's logs go there.
        cfg: Settings.
        progress: As in `evaluate`.
        start: As in `evaluate`.

    Raises:
        ServerFailed: A server did not come up.
        EvaluationFailed: A server failed on the way.
    """
    with _reporting(passes, progress):
        names = list(dict.fromkeys(p.model for p in passes if p.recorder.missing))
        for i in range(0, len(names), cfg.servers_at_once):
            batch = names[i : i + cfg.servers_at_once]
            due = [p for p in passes if p.model in batch and p.recorder.missing]
            with (start or _start)({n: folders[n] for n in batch}, cfg, out / "servers") as servers:
                _ask(due, servers, folders, out / "inspect", cfg)


def _start(models: Mapping[str, Path], cfg: EvalConfig, logs: Path) -> Any:
    return serving(models, cfg.server, logs)


def _temperatures(cfg: EvalConfig) -> list[tuple[str, float]]:
    return [(GREEDY, 0.0), *([(SAMPLED, 1.0 if cfg.temperature is None else cfg.temperature)] if cfg.sampled else [])]


def _ask(due: Sequence[Pass], servers: Mapping[str, Server], folders: Mapping[str, Path], logs: Path, cfg: EvalConfig) -> None:
    """Runs passes over servers that are up, all at once."""

    async def run() -> list[Any]:
        from inspect_ai import eval_async
        from inspect_ai.model import Model, get_model
        from inspect_ai.util import display_type

        import rl_align.eval.provider  # noqa: F401 - registers it; the entry point is there only where the package is installed
        from rl_align.eval.tasks.pictograms import build

        models: dict[str, Model] = {
            name: get_model(f"rl_align/{name}", base_url=s.base_url, memoize=False, timeout_s=cfg.request_timeout_s)
            for name, s in servers.items()
        }
        tasks = [
            build(
                p.items,
                tokens=special_tokens(folders[p.model]),
                max_tokens=cfg.max_tokens,
                temperature=p.temperature,
                seed=cfg.seed,
                recorder=p.recorder,
                model=models[p.model],
                name=f"{p.recorder.path.parent.parent.name}-{p.split}-{p.kind}",
                seat=p.seat,
                rewrites=p.rewrites,
            )
            for p in due
        ]
        display_type()  # reads INSPECT_DISPLAY; without it eval_async chooses a display that prints
        try:
            return await eval_async(
                tasks,
                max_tasks=len(tasks),
                max_connections=cfg.max_connections,
                max_samples=cfg.max_connections,
                log_dir=str(logs),
                log_samples=cfg.log_samples,
                log_realtime=False,
                log_images=cfg.log_samples,
                log_model_api=False,
                log_level="warning",
                score_display=False,
                ctl_server=False,
                acp_server=False,
            )
        finally:
            for model in models.values():
                await model.api.aclose()

    with quiet_inspect(logs):
        finished = asyncio.run(run())
    for p, log in zip(due, finished, strict=True):
        p.recorder.close()
        if log.status != "success" or p.recorder.missing:
            reason = log.error.message if log.error else f"{len(p.recorder.missing)} answers are missing"
            where = tail(servers[p.model].log)
            raise EvaluationFailed(f"{p.model} on {p.split}, {p.kind}: {log.status}: {reason}\n{where}")


def identity(model: Path, splits: Mapping[str, Path | str], cfg: EvalConfig) -> dict[str, Any]:
    """What recorded answers depend on. Model files count by size and time: hashing billions of weights takes minutes."""
    files = sorted(f for f in model.iterdir() if f.is_file()) if model.is_dir() else []
    settings = asdict(cfg)
    for speed in ("models", "max_connections", "servers_at_once", "request_timeout_s", "log_samples"):
        del settings[speed]
    settings["server"] = {"dtype": cfg.server.dtype, "extra": cfg.server.extra}
    return {
        "model": {f.name: [f.stat().st_size, f.stat().st_mtime_ns] for f in files},
        "splits": {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in splits.items()},
        "settings": settings,
    }


def settle(folder: Path, identity: dict[str, Any]) -> None:
    """Drops records that belong to another model, other items or other settings."""
    path = folder / IDENTITY
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        known = None
    if known != identity:
        remove(folder)
        write_json(path, identity)


@contextmanager
def _reporting(passes: Sequence[Pass], progress: Progress | None) -> Iterator[None]:
    total = sum(len(p.recorder.ids) for p in passes)
    done = total - sum(len(p.recorder.missing) for p in passes)
    if progress is None:
        from tqdm import tqdm

        bar = tqdm(total=total, initial=done, desc="answers", unit="", mininterval=1.0, smoothing=0.1, leave=False)

        def progress(now: int, total: int) -> None:
            bar.update(now - bar.n)

    def told() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    for p in passes:
        p.recorder.told = told
    try:
        yield
    finally:
        for p in passes:
            p.recorder.close()
