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
from rl_align.runfiles.lock import engine_lock
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
        if vllm and not card_only:
            stack.enter_context(engine_lock(f"export to {to}"))  # before work is done for nothing
        source = sources.find(run, stage)
        if source.step is None:
            say(f"model {source.name} of {source.run.name}, content {source.hash[:12]}, as stage {source.stage} recorded it")
        else:
            say(f"stage {source.stage} is not finished: its newest checkpoint that can be trusted, step {source.step}")
        partial = out.with_name(f".{out.name}{PARTIAL_SUFFIX}")
        witness = None
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with explained(out):
                partial.mkdir(parents=True)
                checks = None
                if not card_only:
                    checks, witness = _model(source, partial, vllm, keep_adapter, say)
                write_text(partial / NAME, card(source, checks, keep_adapter))
                seal(partial, {"run": source.run.name, "model": source.name, "content": source.hash, "verified": checks})
                if out.exists():
                    out.rmdir()
                partial.rename(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if witness is not None:
                witness.unlink(missing_ok=True)
    say(f"written to {to}")


def _model(source: sources.Source, partial: Path, vllm: bool, keep_adapter: bool, say: Any) -> tuple[dict[str, Any], Path]:
    """Writes the model's files and verifies them."""
    from rl_align.models.lora import rank_of
    from rl_align.pipeline.export import texts, verify
    from rl_align.pipeline.export.write import BASE, dtype_of, write

    partial.rmdir()  # the writer makes it
    witness = write(source, partial, keep_adapter)
    model = partial / BASE if keep_adapter else partial
    asked = texts.of(source, witness, model)
    checks: dict[str, Any] = {"texts": f"{len(asked.asked)} texts, {asked.tokens} tokens: {asked.kind}", "by": {}}
    say(f"asked about {checks['texts']}")
    dtype = dtype_of(model)
    found, mine = verify.with_transformers(partial, asked, dtype, keep_adapter)
    checks["by"]["transformers"] = found
    say(verify.told("transformers", found))
    if vllm and asked.asked:
        rank = rank_of(partial)[0] if keep_adapter else 0
        checks["by"]["vLLM"] = verify.with_vllm(source, partial, asked, mine, dtype, rank)
        say(verify.told("vLLM", checks["by"]["vLLM"]))
    else:
        say("vLLM: not asked" + ("" if vllm else " (--no-vllm)"))
    return checks, witness
