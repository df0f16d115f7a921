"""The benchmarks there are, by name. A task's module is imported when it is asked for: this file is imported by what they
import.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rl_align import outside
from rl_align.errors import UserError
from rl_align.eval.protocol import Protocol

if TYPE_CHECKING:
    from rl_align.eval.building import Benchmark

#: Each is a module in `tasks/` with `PROTOCOLS` (name → protocol) and `benchmark(data, **options) -> Benchmark`.
SAFETY = (
    "siuo",
    "mm_safetybench",
    "figstep",
    "figstep_pro",
    "beavertails_v",
    "spa_vl",
    "vlguard",
    "mis",
    "holisafe",
    "jailbreakv_28k",
    "msts",
    "xstest",
    "mossbench",
    "or_bench",
    "strong_reject",
)
UTILITY = ("mathvista", "mmmu", "mmstar", "scienceqa")
BENCHMARKS = (*SAFETY, *UTILITY)

#: Protocols of others, by name; records name the protocol that made them.
_OUTSIDE: dict[str, Protocol] = {}


def build(name: str, data: str, **options: Any) -> Benchmark:
    """The benchmark of this name over some data: samples, scorer and metrics (`rl_align.eval.building.Benchmark`).

    Args:
        name: One of `BENCHMARKS`, or a Python file or module with a `benchmark` of yours.
        data: Folder of a local copy in its official layout, or a dataset.
        options: What the benchmark takes of its own, and what every benchmark takes (`rl_align.eval.options.Options`).

    Raises:
        UserError: No such benchmark, or data or options that cannot be used.
    """
    return _module(name).benchmark(data, **options)


def protocol(name: str) -> Protocol:
    """The protocol of this name. Raises UserError when there is none."""
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    found = _module(name.partition("/")[0]).PROTOCOLS.get(name)
    if found is None:
        raise UserError(f"no such benchmark {name!r}")
    return found


def remember(found: Protocol) -> None:
    """Has `protocol` know one that is none of ours, in this process. Raises UserError where its name is one of ours."""
    if found.name.partition("/")[0] not in BENCHMARKS:
        _OUTSIDE[found.name] = found
    elif protocol(found.name) is not found:
        raise UserError(f"the name {found.name!r} is taken", expected="a name of its own for a benchmark of yours")


def _module(name: str) -> ModuleType:
    if outside.is_outside(name):
        return outside.load(name, ("benchmark",))
    if name not in BENCHMARKS:
        raise UserError(f"no such benchmark {name!r}", expected=f"a Python file, or one of {', '.join(BENCHMARKS)}")
    return importlib.import_module(f"rl_align.eval.tasks.{name}")
