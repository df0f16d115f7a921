"""`rl-align synth`: items and a configuration → a folder with rows for SFT, what was rejected and why, and a summary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reward.judges.hardening import Hardening, load_key
from rl_align.config import config_hash, load_config, to_yaml
from rl_align.data.items import read_items
from rl_align.errors import UserError
from rl_align.pipeline.synthesis_quality import Quality, described_quality, of_responses, of_rewrites
from rl_align.policy.catalogue import Catalogue
from rl_align.runfiles.atomic import write_text
from rl_align.runfiles.manifest import seal
from rl_align.schema import Item
from rl_align.synthesis import balance, msr_align, output
from rl_align.synthesis.axes import Axes
from rl_align.synthesis.config import AxisConfig, MsrAlignConfig, RewriterSynthesisConfig, SynthesisConfig
from rl_align.synthesis.estimate import described, estimate
from rl_align.synthesis.funnel import funnel, table
from rl_align.synthesis.log import ResponseLog
from rl_align.synthesis.partner import Partner
from rl_align.synthesis.rewriter import AXES as REWRITER_AXES
from rl_align.synthesis.rewriter import RewriterSynthesis
from rl_align.synthesis.run import Pipeline, decide
from rl_align.synthesis.templates import Templates
from rl_align.synthesis.types import Decision, Fate
from rl_align.synthesis.watch import Watch
from rl_align.transcript.prompts import RESPONDER_SYSTEM, REWRITER_SYSTEM

#: Longest text of an item that a generator is shown in a template; the middle of a longer one is left out.
_SHOWN_CHARS = 16000


@dataclass(frozen=True)
class Kind:
    """One of the two pipelines.

    Attributes:
        config: Class of its settings.
        axes: Its judges where the settings name none.
        system: System message of its rows.
        balance: Passed rows (id → category) → rows left out (id → reason).
        quality: Decisions → what truth says of them, for items of a world in which it is known.
    """

    config: type[SynthesisConfig]
    axes: Mapping[str, AxisConfig]
    system: str
    balance: Callable[[Any, Mapping[str, str]], dict[str, str]]
    quality: Callable[[Sequence[Decision]], Quality | None]


KINDS = {
    "msr-align": Kind(
        MsrAlignConfig,
        msr_align.AXES,
        RESPONDER_SYSTEM,
        lambda cfg, passed: balance.by_category(passed, cfg.balance, cfg.seed),
        of_responses,
    ),
    "rewriter": Kind(
        RewriterSynthesisConfig,
        REWRITER_AXES,
        REWRITER_SYSTEM,
        lambda cfg, passed: balance.by_help(passed, cfg.helpful_share, cfg.seed),
        of_rewrites,
    ),
}


def synthesise(
    name: str, config: str | Path, overrides: Sequence[str], items: str | Path, out: str | Path, *, dry_run: bool = False
) -> None:
    """Makes rows, or continues.

    Args:
        name: One of `KINDS`.
        config: YAML file.
        overrides: `key=value` strings.
        items: Parquet file of items, or a folder of such files.
        out: Folder of the results.
        dry_run: Print the settings, the calls and the cost at most; buy nothing.

    Raises:
        UserError: Anything a person can put right, and that no row was kept.
        Stopped: The budget is spent or too many calls fail; what is decided is written.
    """
    kind = KINDS[name]
    cfg = load_config(kind.config, config, overrides)
    axes = dict(cfg.axes or kind.axes)
    read, folder = _read(Path(items)), Path(out)
    if dry_run:
        print(to_yaml(cfg), end="")
        print("\n".join(f"# {line}" for line in [f"{len(read)} items", *described(estimate(cfg, axes, read), axes)]))
        return
    with output.held(folder):
        write_text(folder / output.CONFIG, to_yaml(cfg))
        log = ResponseLog(folder / output.RESPONSES)
        try:
            watch = Watch(cfg.max_failed_share, cfg.min_calls, cfg.window)
            decisions, about = asyncio.run(_decide(cfg, axes, read, folder, log, watch))
            about["answers"] = {role: vars(log.spent(role)) for role in about["models"]}
        finally:
            log.close()
        passed = {d.item.id: d.category for d in decisions if d.fate is Fate.KEPT}
        decisions = output.balanced(decisions, kind.balance(cfg, passed))
        counts, quality = funnel(decisions, about["stages"]), kind.quality(decisions)
        complete = watch.stopped is None
        summary = {
            "pipeline": name,
            "complete": complete,
            "stopped": None if complete else str(watch.stopped),
            "funnel": counts,
            "quality": None if quality is None else quality.mapping(),
            **about,
            "config_hash": config_hash(cfg),
        }
        output.write(folder, decisions, summary, kind.system, cfg.special_tokens)
        if complete:
            seal(folder, {"pipeline": name, "config_hash": config_hash(cfg)})
    print(table(counts, about["stages"]))
    if quality is not None:
        print(described_quality(quality))
    kept = counts["items"]["kept"]
    print(f"{kept} rows" + (f" in {folder / output.ROWS}" if kept else "") + f"; the others and why: {folder / output.REJECTED}")
    if watch.stopped is not None:
        raise watch.stopped
    if failed := counts["items"]["failed"]:
        print(f"{failed} items got no answer; run the same command again to ask for them again")
    if not kept:
        raise UserError("no row was kept", where=str(folder), fix=f"see {output.REJECTED} and the funnel in {output.SUMMARY}")


def _read(path: Path) -> list[Item]:
    """The items of a file, or of all files of a folder by name. Raises UserError, also for an id that occurs twice."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise UserError("holds no parquet file", where=str(path), expected="a parquet file of items, or a folder of such files")
    found: dict[str, Item] = {}
    for file in files:
        for item in read_items(file):
            if item.id in found:
                raise UserError(f"item id {item.id!r} occurs twice", where=str(file), expected="unique ids over all files")
            found[item.id] = item
    return list(found.values())


async def _decide(
    cfg: Any, axes: Mapping[str, AxisConfig], items: Sequence[Item], folder: Path, log: ResponseLog, watch: Watch
) -> tuple[list[Decision], dict[str, Any]]:
    """The decisions, and what is told of how they were made."""
    from tqdm import tqdm

    endpoints = {"generator.endpoint": cfg.generator.endpoint, "judge": cfg.judge}
    if isinstance(cfg, RewriterSynthesisConfig):
        endpoints["target.endpoint"] = cfg.target.endpoint
    key, catalogue = load_key(str(folder / output.FENCES)), Catalogue.load()
    templates = Templates(cfg.templates, Hardening(key, _SHOWN_CHARS, cfg.generator.special_tokens))
    partners: dict[str, Partner] = {}
    try:
        for where, endpoint in endpoints.items():
            role = where.partition(".")[0]
            partners[role] = Partner(role, where, endpoint, log, watch)
        questions = Axes(axes, partners["judge"], key, catalogue)
        pipeline = _pipeline(cfg, partners, questions, templates, catalogue)
        with tqdm(total=len(items), desc="items", unit="", mininterval=1.0, leave=False, disable=None) as bar:
            decisions = await decide(
                pipeline, items, cfg.attempts, cfg.concurrency, cfg.max_prompt_chars, lambda decision: bar.update()
            )
    finally:
        for partner in partners.values():
            await partner.close()
    about = {
        "stages": list(pipeline.stages),
        "models": {role: partner.model for role, partner in partners.items()},
        "templates": templates.versions(),
        "axes": {name: axis.least for name, axis in axes.items()},
    }
    return decisions, about


def _pipeline(cfg: Any, partners: Mapping[str, Partner], axes: Axes, templates: Templates, catalogue: Catalogue) -> Pipeline:
    if isinstance(cfg, MsrAlignConfig):
        return msr_align.MsrAlign(cfg, partners["generator"], axes, templates, catalogue)
    return RewriterSynthesis(cfg, partners["generator"], partners["target"], axes, templates, catalogue)
