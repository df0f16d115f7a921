"""Code of yours where a name of ours may stand: a Python file, such as `my_reward.py`, or a module by its dotted name.

It runs as any import does. Nothing is looked for: what no setting names is not run.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from rl_align.errors import UserError


def is_outside(name: str) -> bool:
    """Whether a name is a file or a dotted module, and none of ours."""
    return "." in name


def load(name: str, needs: Sequence[str] = (), where: str | None = None) -> ModuleType:
    """The module, run once a process.

    Args:
        name: File, relative to the working folder, or dotted module.
        needs: What it has to define.
        where: The setting that names it, for messages.

    Raises:
        UserError: Not there, it cannot be imported, or it lacks something.
    """
    where = f"{where}: {name}" if where else name
    try:
        module = _file(settled(name)) if name.endswith(".py") else importlib.import_module(name)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"cannot be imported ({type(error).__name__}: {error})", where=where) from error
    if missing := [needed for needed in needs if not hasattr(module, needed)]:
        raise UserError(f"defines no {missing[0]}", where=where, expected=f"a module with {', '.join(needs)}")
    return module


def settled(name: str) -> str:
    """The name as processes in other folders understand it: a file by its absolute path."""
    return str(Path(name).absolute()) if name.endswith(".py") else name


def digest(name: str, where: str | None = None) -> str:
    """SHA-256 of the module's file: what it does, wherever it lies. It is not run. Raises UserError where there is none."""
    try:
        spec = None if name.endswith(".py") else importlib.util.find_spec(name)
        return hashlib.sha256(Path(spec.origin if spec and spec.origin else name).read_bytes()).hexdigest()
    except (OSError, ImportError) as error:
        raise UserError(f"cannot be read ({error})", where=f"{where}: {name}" if where else name) from error


@lru_cache(maxsize=64)
def _file(path: str) -> ModuleType:
    name = f"{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
