"""Whether transformers and vLLM load an exported folder and give the log-probabilities of its trainer.

Trainer, transformers and vLLM compute in 16 bits, in other orders: single tokens differ by the rounding of their logits. So two
numbers are compared: the mean distance over all tokens, which a wrong weight, template or picture moves, and the largest one.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rl_align.engine.vllm_log_probs import arguments
from rl_align.errors import EngineFailed
from rl_align.models.forward import collapsed, log_probs
from rl_align.pipeline.export.source import Source
from rl_align.pipeline.export.texts import Texts
from rl_align.pipeline.export.write import BASE
from rl_align.pipeline.parts import plain
from rl_align.runfiles.atomic import write_json

#: Largest (mean, single) distance of log-probabilities, in nats a token, by the coarsest number format that was computed in.
TOLERANCES = {"float32": (1e-3, 2e-2), "float16": (1e-2, 0.2), "bfloat16": (2e-2, 0.5)}


def with_transformers(folder: Path, texts: Texts, dtype: str, adapted: bool) -> tuple[dict[str, Any], list[list[float]]]:
    """Loads the folder with transformers and compares it with the trainer, where that said something.

    Args:
        folder: Exported folder.
        texts: What is asked.
        dtype: Number format of its weights.
        adapted: Whether it is an adapter above `folder/base`.

    Returns:
        What came of it; log-probabilities at temperature 1, for the comparison with vLLM.

    Raises:
        EngineFailed: It does not load, or says something else.
    """
    model, adapter = (folder / BASE, folder) if adapted else (folder, None)
    try:
        tempered, plainly = log_probs(model, texts.asked, (texts.temperature, 1.0), adapter)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise EngineFailed(f"transformers does not load it ({type(error).__name__}: {_first(error)})", where=folder.name) from error
    if texts.other_prompts:
        what = f"its template and processor make other tokens of {len(texts.other_prompts)} of {len(texts.asked)} prompts"
        raise EngineFailed(what, where="transformers", expected="the tokens that the trainer saw")
    found: dict[str, Any] = {"loads": True}
    if texts.log_probs:
        found |= compare("transformers", "the trainer", tempered, texts.log_probs, coarser(dtype, texts.dtype))
    return found, plainly


def with_vllm(
    source: Source, folder: Path, texts: Texts, mine: list[list[float]], dtype: str, rank: int, log: Path
) -> dict[str, Any]:
    """Loads the folder with vLLM, in a process of its own, and compares it with the trainer or, without one, with transformers.

    Args:
        source: The model, for the settings of its engine.
        folder: Exported folder.
        texts: What is asked.
        mine: What transformers says of it, at temperature 1.
        dtype: Number format of its weights.
        rank: Of the adapter that lies above `folder/base`; 0 where the folder is a whole model.
        log: Where vLLM's messages go; the file stays when it fails.

    Raises:
        EngineFailed: It does not load, or says something else.
    """
    engine = source.config.engine
    job, out = (folder.with_name(f"{folder.name}.{name}.json") for name in ("vllm", "vllm-said"))
    image_token = _image_token(folder / BASE if rank else folder)
    longest = max(len(text.prompt_ids) + len(text.response_ids) for text in texts.asked)
    write_json(
        job,
        {
            "engine": plain(engine),
            "out": str(out),
            "model": str(folder / BASE if rank else folder),
            "adapter": str(folder) if rank else None,
            "rank": rank,
            "llm": arguments(engine, longest, max(len(pictures) for pictures in texts.pictures)),
            "texts": [
                {
                    "prompt_ids": collapsed(text.prompt_ids, image_token),
                    "response_ids": list(text.response_ids),
                    "images": [base64.b64encode(data).decode("ascii") for data in pictures],
                }
                for text, pictures in zip(texts.asked, texts.pictures, strict=True)
            ],
        },
    )
    said = _run(job, out, log, engine.deadline_minutes * 60)
    found = {"loads": True, "version": str(said["vllm"])}
    comparable = texts.log_probs and texts.temperature == 1.0  # vLLM judges prompts at temperature 1
    who, theirs = ("the trainer", texts.log_probs) if comparable else ("transformers", mine)
    width = coarser(dtype, texts.dtype) if comparable else dtype
    found |= compare("vLLM", who, said["log_probs"], theirs, width)
    log.unlink(missing_ok=True)
    return found


def compare(
    who: str, against: str, mine: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], dtype: str
) -> dict[str, Any]:
    """Distances of log-probabilities, token by token.

    Raises:
        EngineFailed: Above the tolerance of the number format.
    """
    if [len(a) for a in mine] != [len(b) for b in theirs]:
        raise EngineFailed(f"says {[len(a) for a in mine]} tokens, {against} {[len(b) for b in theirs]}", where=who)
    away = [abs(a - b) for ours, others in zip(mine, theirs, strict=True) for a, b in zip(ours, others, strict=True)]
    mean, most = TOLERANCES[dtype]
    found = {
        "against": against,
        "mean": fmean(away),
        "max": max(away),
        "tokens": len(away),
        "tolerance": {"mean": mean, "max": most, "dtype": dtype},
    }
    if not (found["mean"] <= mean and found["max"] <= most):  # also where one of them is not a number
        apart = f"{found['mean']:.2g} nats a token apart on average, {found['max']:.2g} at most"
        raise EngineFailed(
            f"says other log-probabilities than {against}: {apart}",
            where=who,
            expected=f"{mean:g} and {most:g} at most ({dtype})",
            fix="nothing was exported",
        )
    return found


def coarser(*dtypes: str) -> str:
    """The coarsest of number formats; one that is not known leaves none of its own."""
    order = list(TOLERANCES)
    return order[max((order.index(dtype) for dtype in dtypes if dtype in order), default=len(order) - 1)]


def told(who: str, found: dict[str, Any]) -> str:
    """A comparison in a line."""
    if "against" not in found:
        return f"{who}: loads; there is nothing to compare with"
    limit = found["tolerance"]
    return (
        f"{who}: loads; {found['mean']:.2g} nats a token from {found['against']} on average, {found['max']:.2g} at most, over "
        f"{found['tokens']} tokens (tolerance {limit['mean']:g} and {limit['max']:g}, {limit['dtype']})"
    )


def _run(job: Path, out: Path, log: Path, limit_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "rl_align.engine.vllm_log_probs", str(job)]
    with open(log, "wb") as output:
        try:
            code = subprocess.run(command, stdout=output, stderr=output, timeout=limit_s, check=False).returncode
        except subprocess.TimeoutExpired as error:
            raise EngineFailed(f"vLLM took longer than {limit_s / 60:g} minutes", where=str(log)) from error
    if code or not out.is_file():
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        what = f"vLLM does not load it: {lines[-1].strip()[:300] if lines else f'exit code {code}'}"
        raise EngineFailed(what, where=str(log), fix="or leave this check out: --no-vllm")
    return json.loads(out.read_bytes())


def _image_token(folder: Path) -> int | None:
    from transformers import AutoConfig

    return getattr(AutoConfig.from_pretrained(folder, trust_remote_code=False), "image_token_id", None)


def _first(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"
