"""The benchmarks there are, by name. A task's module is imported when it is asked for: this file is imported by what they
import.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

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


def build(name: str, data: str, **options: Any) -> Benchmark:
    """The benchmark of this name over some data: samples, scorer and metrics (`rl_align.eval.building.Benchmark`).

    Args:
        name: One of `BENCHMARKS`.
        data: Folder of a local copy in its official layout, or a dataset.
        options: What the benchmark takes of its own, and what every benchmark takes (`rl_align.eval.options.Options`).

    Raises:
        UserError: No such benchmark, or data or options that cannot be used.
    """
    return _module(name).benchmark(data, **options)


def protocol(name: str) -> Protocol:
    """The protocol of this name. Raises UserError when there is none."""
    found = _module(name.partition("/")[0]).PROTOCOLS.get(name)
    if found is None:
        raise UserError(f"no such benchmark {name!r}")
    return found


def _module(name: str) -> ModuleType:
    if name not in BENCHMARKS:
        raise UserError(f"no such benchmark {name!r}", expected=f"one of {', '.join(BENCHMARKS)}")
    return importlib.import_module(f"rl_align.eval.tasks.{name}")
