"""VLMEvalKit's scorer in an environment of its own: its packages do not go with ours.

uv venv --python 3.11 .venv-vlmevalkit
uv pip install --python .venv-vlmevalkit/bin/python --overrides launch/requirements/overrides-cpu.txt ms-vlmeval==0.0.20
.venv-vlmevalkit/bin/python -m rl_align.engine.cpu.torchvision_ops install
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.endpoints.secret import Secret
from rl_align.errors import UserError

#: The kit as it is on the package index, and the version that was read and tried.
PACKAGE = "ms-vlmeval==0.0.20"
THERE = Path(__file__).with_name("there.py")

#: Settings of the kit that would change what is measured, or where its judge is looked for.
_OURS_TO_SET = ("LOCAL_LLM", "OPENAI_API_BASE", "OPENAI_API_KEY", "PRED_FORMAT", "EVAL_FORMAT", "BOYUE")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_PROBE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vlmeval') is None)"
_SHOWN = 1500


@dataclass(frozen=True)
class KitJudge:
    """The judge that the kit asks.

    Attributes:
        base_url: Of an OpenAI-compatible endpoint, up to and including `/v1`.
        model: Name under which it is served. A name that the kit knows as OpenAI's it replaces by a dated one.
        key: Its key.
        calls_at_once: Threads that ask. With one, calls come in the order of the rows.
        direct: Ask past any proxy.
    """

    base_url: str
    model: str
    key: Secret = Secret()
    calls_at_once: int = 4
    direct: bool = False


def score(python: str, files: Sequence[tuple[str, Path]], judge: KitJudge, out: Path) -> list[dict[str, Any]]:
    """What the kit makes of prediction files.

    The kit keeps its judge's replies beside a prediction file, and takes them again: a file must be in a folder that it has never
    scored anything in.

    Args:
        python: The interpreter of its environment.
        files: The kit's datasets, each with a prediction file.
        judge: The judge.
        out: Where it leaves its results.

    Returns:
        For each file {"scores": rows of the kit's table of results, "items": one row a prediction}.

    Raises:
        UserError: No such interpreter, no kit in its environment, or the kit failed.
    """
    _check(python)
    api = {"model": judge.model, "api_base": f"{judge.base_url.rstrip('/')}/chat/completions", "nproc": judge.calls_at_once}
    task = {"files": [(dataset, str(path.absolute())) for dataset, path in files], "judge": api, "out": str(out.absolute())}
    dropped = {*_OURS_TO_SET, *(_PROXIES if judge.direct else ())}
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {"OPENAI_API_KEY": judge.key.headers().get("Authorization", "").removeprefix("Bearer ") or "none", "HF_HUB_OFFLINE": "1"}
    # -I: neither this project nor PYTHONPATH is seen there.
    done = subprocess.run([python, "-I", str(THERE)], input=json.dumps(task).encode(), capture_output=True, env=env)
    if done.returncode:
        # The kit writes the key into its log.
        said = judge.key.redact(done.stderr.decode("utf-8", "replace")).strip()[-_SHOWN:]
        raise UserError(f"VLMEvalKit failed with code {done.returncode}: {said}", where=python, expected=PACKAGE)
    return json.loads(out.read_text(encoding="utf-8"))


def _check(python: str) -> None:
    what, fix = "the Python of VLMEvalKit's environment", f"install {PACKAGE} into an environment of its own, and name its Python"
    try:
        probe = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"cannot be run ({error})", where=python, expected=what, fix=fix) from error
    if probe.returncode:
        raise UserError("VLMEvalKit is not installed there", where=python, fix=fix)
