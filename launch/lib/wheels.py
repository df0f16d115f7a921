"""Lists the wheels that the extras gpu and eval need on a machine without a network. Standard library, and uv with an index.

    python launch/lib/wheels.py

Writes launch/requirements/wheels-gpu.txt, which pip reads (`pip wheel --no-deps -r`) and `launch/gpu_check` as well, and
wheels-gpu.md for people. Sizes are the index's metadata; no wheel is fetched. What torch itself asks for is marked: a machine that
has torch usually has that, too.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "launch" / "requirements"
EXTRAS = ("gpu", "eval")
#: What a machine that is said to "have torch" has.
TORCH = ("torch", "torchvision")
#: glibc of Ubuntu 22.04; wheels for older ones run on it.
PLATFORM = "x86_64-manylinux_2_35"
#: Begins the lines of the list that say what it was made from.
ASKED = "# asks for "
#: How a line of the list is read: `name==version  # bytes file [with torch]`.
LINE = re.compile(r"^(?P<name>[^=\s]+)==(?P<version>\S+)\s+# (?P<size>\d+|unknown) (?P<file>\S+?)(?P<with_torch> with torch)?$")


@dataclass(frozen=True)
class Wheel:
    """One file of the list.

    Attributes:
        name: Of the package, normalised.
        version: Resolved.
        file: Name of the wheel; of a source archive where the index has no wheel.
        size: Bytes; None where the index does not say.
        with_torch: Whether torch asks for it.
    """

    name: str
    version: str
    file: str
    size: int | None
    with_torch: bool = False

    @property
    def is_source(self) -> bool:
        """Whether it has to be built first."""
        return not self.file.endswith(".whl")

    def line(self) -> str:
        """Its line in the list."""
        size = "unknown" if self.size is None else self.size
        return f"{self.name}=={self.version}  # {size} {self.file}{' with torch' if self.with_torch else ''}"


def read_list(path: Path = REQUIREMENTS / "wheels-gpu.txt") -> tuple[list[str], list[Wheel]]:
    """(what was asked for, the wheels) of a list. Raises ValueError for a line that is neither."""
    asked, wheels = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith(ASKED):
            asked.append(line.removeprefix(ASKED))
        if not line or line.startswith("#"):
            continue
        match = LINE.match(line)
        if match is None:
            raise ValueError(f"{path}:{number}: not a line of the list: {line!r}")
        size = None if match["size"] == "unknown" else int(match["size"])
        wheels.append(Wheel(match["name"], match["version"], match["file"], size, bool(match["with_torch"])))
    return asked, wheels


def requirements() -> list[str]:
    """What setup.py asks for: its base and the extras."""
    given: dict[str, Any] = {}
    setuptools = types.ModuleType("setuptools")
    setuptools.setup, setuptools.find_packages = given.update, lambda **_: []
    before = sys.modules.get("setuptools")
    sys.modules["setuptools"] = setuptools
    try:
        runpy.run_path(str(ROOT / "setup.py"))
    finally:
        sys.modules.pop("setuptools")
        if before is not None:
            sys.modules["setuptools"] = before
    return [*given["install_requires"], *(line for extra in EXTRAS for line in given["extras_require"][extra])]


def choose(package: Mapping[str, Any], python: str) -> tuple[str, int | None]:
    """(file, bytes) of what an installer would take: a wheel of this Python's, of any Python's, else the source archive."""
    digits = python.replace(".", "")

    def rank(name: str) -> tuple[bool, ...]:
        return f"-cp{digits}-cp{digits}-" not in name, "-abi3-" not in name, f"-py{digits}-" not in name

    files = package.get("wheels") or [package[kind] for kind in ("sdist", "archive") if kind in package]
    named = {(file.get("name") or file.get("url") or file["path"]).rpartition("/")[2]: file.get("size") for file in files}
    name = min(named, key=rank)
    return name, named[name]


def from_lock(lock: Mapping[str, Any], python: str, with_torch: set[str]) -> list[Wheel]:
    """The wheels of a pylock.toml (PEP 751), by name."""
    found = []
    for package in lock["packages"]:
        file, size = choose(package, python)
        found.append(Wheel(package["name"], package["version"], file, size, package["name"] in with_torch))
    return sorted(found, key=lambda wheel: wheel.name)


def listing(asked: Sequence[str], wheels: Sequence[Wheel], python: str) -> str:
    """The whole of wheels-gpu.txt."""
    head = [
        f"# Wheels of {' and '.join(EXTRAS)}: Python {python}, Linux x86_64, glibc 2.35. Made by launch/lib/wheels.py.",
        "# flash-attn is not among them: it builds against the installed torch. A wheel of it in the folder is taken; without one",
        "# attention is torch's own.",
    ]
    return "\n".join([*head, *(f"{ASKED}{line}" for line in asked), *(wheel.line() for wheel in wheels)]) + "\n"


def table(wheels: Sequence[Wheel], python: str) -> str:
    """The whole of wheels-gpu.md."""
    bring = [wheel for wheel in wheels if not wheel.with_torch]
    have = [wheel for wheel in wheels if wheel.with_torch]
    sources = [wheel.name for wheel in wheels if wheel.is_source]
    lines = [
        "# Wheels for a machine with a GPU and no network",
        "",
        f"Made by `launch/lib/wheels.py` from the extras {' and '.join(EXTRAS)} and `overrides-gpu.txt`; not edited by hand.",
        f"Resolved for Python {python} on Linux x86_64 (glibc 2.35); sizes as the package index states them.",
        "",
        "On a machine with the same Python and a network:",
        "",
        "```console",
        "pip wheel --no-deps -w wheels -r launch/requirements/wheels-gpu.txt",
        "```",
        "",
        "Then, where the GPU is: `WHEELS=wheels launch/gpu_check`. What that machine has in a fitting version is used as it is.",
        "For another Python: `python launch/lib/wheels.py --python 3.12 --out DIR` writes DIR/wheels-gpu.txt.",
    ]
    if sources:
        lines += ["", f"The index has no wheel of {', '.join(sources)}; that command builds it."]
    lines += ["", "| | packages | size |", "|---|---|---|"]
    for what, some in (("to bring", bring), ("usually there with torch", have)):
        lines.append(f"| {what} | {len(some)} | {megabytes(some)} |")
    lines += ["", "| package | version | MB | usually there with torch |", "|---|---|---|---|"]
    largest = sorted(wheels, key=lambda wheel: -(wheel.size or 0))
    lines += [f"| {w.name} | {w.version} | {_mb(w.size)} | {'yes' if w.with_torch else ''} |" for w in largest]
    return "\n".join(lines) + "\n"


def megabytes(wheels: Sequence[Wheel]) -> str:
    """The sum of their sizes for people, with how many sizes it lacks."""
    unknown = sum(wheel.size is None for wheel in wheels)
    text = f"{sum(wheel.size or 0 for wheel in wheels) / 1e6:,.0f} MB"
    return text + (f" and {unknown} of unknown size" if unknown else "")


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f}"


def resolve(python: str) -> list[Wheel]:
    """Asks uv, and through it the index. Raises SystemExit with uv's message when that fails."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "pylock.toml"
        extras = [part for extra in EXTRAS for part in ("--extra", extra)]
        overrides = ["--overrides", str(REQUIREMENTS / "overrides-gpu.txt")]
        _uv([str(ROOT / "setup.py"), *extras, *overrides, "--format", "pylock.toml"], python, whole)
        lock = tomllib.loads(whole.read_text())
        versions = {package["name"]: package["version"] for package in lock["packages"]}
        asked, alone = Path(folder) / "torch.in", Path(folder) / "pylock.torch.toml"
        asked.write_text("\n".join(f"{name}=={versions[name]}" for name in TORCH))
        _uv([str(asked), "--format", "pylock.toml"], python, alone)
        with_torch = {package["name"] for package in tomllib.loads(alone.read_text())["packages"]}
    return from_lock(lock, python, with_torch)


def _uv(arguments: Sequence[str], python: str, out: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        sys.exit("wheels: error: uv is not installed; launch/quickstart --setup-only installs it into .venv")
    command = [uv, "pip", "compile", *arguments, "--python-version", python, "--python-platform", PLATFORM]
    command += ["--no-annotate", "--no-header", "--quiet", "-o", str(out)]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"wheels: error: uv could not resolve the extras: {done.stderr.strip()[-2000:]}")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="3.11", help="version of Python that the wheels are for (default: 3.11)")
    parser.add_argument("--out", type=Path, default=REQUIREMENTS, help="folder to write to")
    arguments = parser.parse_args(argv)
    if tomllib is None:
        sys.exit("wheels: error: Python 3.11 or newer is needed")
    wheels = resolve(arguments.python)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "wheels-gpu.txt").write_text(listing(requirements(), wheels, arguments.python), encoding="utf-8")
    (arguments.out / "wheels-gpu.md").write_text(table(wheels, arguments.python), encoding="utf-8")
    bring = [wheel for wheel in wheels if not wheel.with_torch]
    print(f"{len(wheels)} packages, {megabytes(wheels)}; beside torch {len(bring)}, {megabytes(bring)}")


if __name__ == "__main__":
    main()
