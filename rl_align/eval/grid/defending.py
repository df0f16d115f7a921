"""A defence of the matrix as a solver: its settings checked, its partners put in, and what its answers depend on."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from inspect_ai.model import Model
from inspect_ai.solver import Solver

from rl_align import outside
from rl_align.errors import UserError
from rl_align.eval.grid.config import TARGET, DefenceConfig

#: Each is a module in `eval/defences/` with a solver of the same name.
KINDS = (
    "none",
    "self_reminder",
    "adashield_s",
    "figstep_defence",
    "ecso",
    "eta",
    "mllm_protector",
    "refuse_if_flagged",
    "ocr_guard",
    "guard",
)

#: Arguments that the matrix sets itself.
_OWN = ("seed", "fence_key_file")


def check_defence(name: str, cfg: DefenceConfig) -> None:
    """Raises UserError when a defence is not known, takes no such setting, or lacks a partner."""
    where, parameters = f"defences.{name}", _parameters(name, cfg)
    allowed = [p for p in parameters if p not in _OWN and not p.endswith(("_model", "_base_url"))]
    for key in cfg.settings:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            fix = f"the nearest one is {near[0]}" if near else None
            raise UserError(f"{cfg.kind} takes no setting {key!r}", where=where, expected=f"some of {', '.join(allowed)}", fix=fix)
    roles = roles_of(name, cfg)
    if strange := [role for role in cfg.partners if role not in roles]:
        raise UserError(f"{cfg.kind} has no {strange[0]!r}", where=where, expected=f"partners {', '.join(roles) or 'none'}")
    if absent := [role for role in roles if role not in cfg.partners]:
        fix = f"name a model: {where}.partners.{absent[0]}=…"
        raise UserError(f"{cfg.kind} needs a model as its {absent[0]}", where=where, fix=fix)


def roles_of(name: str, cfg: DefenceConfig) -> list[str]:
    """The roles that other models play in a defence."""
    return [p.removesuffix("_model") for p in _parameters(name, cfg) if p.endswith("_model")]


def solver_of(
    name: str, cfg: DefenceConfig, partners: Mapping[str, Model], *, seed: int | None, fence: Path, tokens: Collection[str] = ()
) -> Solver:
    """The solver of a defence.

    Args:
        name: Of the defence in the matrix.
        cfg: Its settings.
        partners: Role → model; a role that the target plays is not among them.
        seed: Of the target's sampling; None for greedy.
        fence: File of the key of fences: with it the same sample is asked about in the same words in every run.
        tokens: Spellings of the models' special tokens, for a defence that breaks them.

    Raises:
        UserError: A setting that cannot work.
    """
    parameters = _parameters(name, cfg)
    given = dict(cfg.settings)
    for role, partner in cfg.partners.items():
        given[f"{role}_model"] = TARGET if partner == TARGET else partners[role]
    given["seed"] = seed
    if "fence_key_file" in parameters:
        given["fence_key_file"] = str(fence)
    if "special_tokens" in parameters:
        given.setdefault("special_tokens", sorted(tokens))
    try:
        return _kind(name, cfg)(**given)
    except TypeError as error:
        raise UserError(f"a setting cannot be used ({error})", where=f"defences.{name}") from error


def depends_on(name: str, cfg: DefenceConfig, solver: Solver) -> dict[str, Any]:
    """What the answers under a defence depend on, apart from its partners: kind, settings, the prompts as they are read."""
    files = {
        key: hashlib.sha256(Path(value).read_bytes()).hexdigest()
        for key, value in cfg.settings.items()
        if isinstance(value, str) and Path(value).is_file()
    }
    files |= {cfg.kind: outside.digest(cfg.kind)} if outside.is_outside(cfg.kind) else {}
    return {"kind": cfg.kind, "settings": dict(cfg.settings), "files": files, "prompts": dict(getattr(solver, "prompts", {}))}


def _parameters(name: str, cfg: DefenceConfig) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(_kind(name, cfg)).parameters


def _kind(name: str, cfg: DefenceConfig) -> Callable[..., Solver]:
    if outside.is_outside(cfg.kind):
        solver = Path(cfg.kind).stem if cfg.kind.endswith(".py") else cfg.kind.rpartition(".")[2]
        return getattr(outside.load(cfg.kind, (solver,), f"defences.{name}.kind"), solver)
    if cfg.kind not in KINDS:
        raise UserError(f"is {cfg.kind!r}", where=f"defences.{name}.kind", expected=f"one of {', '.join(KINDS)}")
    return getattr(importlib.import_module(f"rl_align.eval.defences.{cfg.kind}"), cfg.kind)
