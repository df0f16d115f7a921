"""Compiles installed packages to bytecode on every core, leaving out what nothing here imports.

About ten processes import the same gigabytes at each start of the engine; where the environment forbids writing
bytecode, each would compile them again. Whatever is left out is compiled by the first process that imports it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from compileall import compile_file
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

#: A third of the source: test suites, other architectures, Ray's other libraries, clients and tools nobody starts.
LEFT_OUT = re.compile(
    r"/(tests?|torch/testing)/"
    r"|/transformers/models/(?!auto/|qwen)"
    r"|/ray/(autoscaler|data|llm|rllib|serve|train|tune)/"
    r"|/(anthropic|debugpy|pip|pygments/lexers|sentry_sdk|virtualenv|wandb)/"
)


def sources(folders: Sequence[Path]) -> Iterator[Path]:
    """Python files below the folders that are worth compiling."""
    for folder in folders:
        yield from (path for path in folder.rglob("*.py") if not LEFT_OUT.search(path.as_posix()))


def _compile(path: Path) -> bool:
    return bool(compile_file(path, quiet=1))


def main(folders: Sequence[str]) -> None:
    """Compiles, prints how many files, names those that fail (some packages carry templates that are not Python)."""
    paths = list(sources([Path(folder) for folder in folders]))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        compiled = sum(pool.map(_compile, paths, chunksize=32))
    print(f"compiled {compiled} of {len(paths)} files")


if __name__ == "__main__":
    main(sys.argv[1:])
