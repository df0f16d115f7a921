"""`rl-align export RUN --to DIR`: a model of a run as a folder that others load, verified before it gets its name."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.pipeline.export import source as sources
from rl_align.pipeline.export.card import NAME, card
from rl_align.runfiles.atomic import PARTIAL_SUFFIX, explained, write_text
from rl_align.runfiles.lock import engine_lock, wait_for_workers
from rl_align.runfiles.manifest import seal


def export(
    run: str | Path,
    to: str | Path,
    *,
    stage: str = "grpo",
    card_only: bool = False,
    vllm: bool = True,
    keep_adapter: bool = False,
    say: Any = print,
) -> None:
    """Writes a model of a run, its card, and what verification found.

    Args:
        run: Run folder.
        to: Folder to write; it must not exist, or be empty.
        stage: Which model of the run.
        card_only: Write the card, and no model.
        vllm: Whether vLLM must load it, too.
        keep_adapter: Do not add an adapter to its model.
        say: Gets a line at a time.

    Raises:
        UserError: No such model, files that are not what the run recorded, a folder that is not empty.
        EngineFailed: The exported folder does not load, or says something else than its trainer did. Nothing is left behind.
    """
    out = Path(to).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("there is something already", where=str(to), expected="a folder that does not exist, or an empty one")
    with ExitStack() as stack:
        source = sources.find(run, stage)
        if vllm and not card_only:
            stack.enter_context(engine_lock(f"export to {to}"))  # before work is done for nothing
            wait_for_workers()
        if source.step is None:
            say(f"model {source.name} of {source.run.name}, content {source.hash[:12]}, as stage {source.stage} recorded it")
        else:
            say(f"stage {source.stage} is not finished: its newest checkpoint that can be trusted, step {source.step}")
        work = out.with_name(f".{out.name}{PARTIAL_SUFFIX}")
        shutil.rmtree(work, ignore_errors=True)
        try:
            with explained(out):
                made, checks = work / "model", None
                work.mkdir(parents=True)
                if not card_only:
                    log = out.with_name(f"{out.name}.vllm.log") if vllm else None
                    checks = _model(source, made, log, keep_adapter, say)
                write_text(made / NAME, card(source, checks, keep_adapter))
                seal(made, {"run": source.run.name, "model": source.name, "content": source.hash, "verified": checks})
                if out.exists():
                    out.rmdir()
                made.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    say(f"written to {to}")


def _model(source: sources.Source, made: Path, log: Path | None, keep_adapter: bool, say: Any) -> dict[str, Any]:
    """Writes the model's files and verifies them; with vLLM where there is a place for its log."""
    from rl_align.models.lora import rank_of
    from rl_align.pipeline.export import texts, verify
    from rl_align.pipeline.export.write import BASE, dtype_of, write

    witness = write(source, made, keep_adapter)
    model = made / BASE if keep_adapter else made
    asked = texts.of(source, witness, model)
    checks: dict[str, Any] = {"texts": f"{len(asked.asked)} texts, {asked.tokens} tokens: {asked.kind}", "by": {}}
    say(f"asked about {checks['texts']}")
    dtype = dtype_of(model)
    found, mine = verify.with_transformers(made, asked, dtype, keep_adapter)
    checks["by"]["transformers"] = found
    say(verify.told("transformers", found))
    if log is None or not asked.asked:
        say("vLLM: not asked" + (" (--no-vllm)" if log is None else ""))
        return checks
    rank = rank_of(made)[0] if keep_adapter else 0
    checks["by"]["vLLM"] = verify.with_vllm(source, made, asked, mine, dtype, rank, log)
    say(verify.told("vLLM", checks["by"]["vLLM"]))
    return checks
