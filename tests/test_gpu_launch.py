"""The logic of launch/gpu_check: scripted stand-ins for python, nvidia-smi and df on PATH; nothing is installed.

1. Without a GPU, or with bad arguments, it ends at once with one line and exit code 2, and makes nothing.
2. A dry run makes nothing either, on any machine.
3. The environment is made once on top of the interpreter, and gets what is missing from the folder alone.
4. What the check says is the exit code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

TOOLS = "awk bash cat chmod cp cut date df dirname env find grep head mkdir mv od printf rm sed sleep sort tail tr wc".split()
PYTHON = r"""#!/bin/bash
case "$*" in
  "-c import sysconfig"*) echo "$(dirname "$(dirname "$0")")/lib"; exit ;;
  "-c import sys"*) echo "${FAKE_VERSION:-3.11}"; exit ;;
  "-c import importlib"*) exit "${FAKE_NO_TORCH:-0}" ;;
esac
echo "python $*" >>"$CALLS"
case "$*" in
  "-m venv --without-pip "*)
    [ -z "$FAKE_NO_VENV" ] || { echo "no venv"; exit 1; }
    mkdir -p "$4/bin" "$4/lib" && cp "$FAKES/python3" "$4/bin/python" ;;
  "- "*) cat >/dev/null; echo "$2" ;;
  *"gpu_packages.py plan"*) echo "missing: 3 packages" ;;
  *"gpu_packages.py files"*)
    [ -z "$FAKE_MISSING" ] || { echo "2 packages are neither installed nor in the folder: ray, verl==0.9.1" >&2; exit 1; }
    printf "$FAKE_FILES" ;;
  "-m pip install "*) exit "${FAKE_PIP:-0}" ;;
  "-m rl_align.cli gpu-check"*) exit "${FAKE_RUN:-0}" ;;
esac
"""
GPU = '#!/bin/bash\n[ "$1" = -L ] && echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)"\n'


class Machine:
    def __init__(self, folder: Path):
        self.root, self.path, self.calls_file, self.wheels = (folder / name for name in ("check out", "bin", "calls", "wheels"))
        self.path.mkdir()
        self.wheels.mkdir()
        shutil.copytree(ROOT / "launch", self.root / "launch", ignore=shutil.ignore_patterns("__pycache__"))
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        self.put("python3", PYTHON)
        self.put("nvidia-smi", GPU)
        self.put("cc", "#!/bin/bash\n")

    def put(self, name: str, text: str) -> None:
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        self.calls_file.write_text("")
        given = {"PATH": str(self.path), "HOME": str(self.root), "CALLS": str(self.calls_file), "FAKES": str(self.path), **env}
        command = [str(self.root / "launch" / "gpu_check"), *arguments]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)

    def called(self, word: str) -> list[str]:
        return [line for line in self.calls_file.read_text().splitlines() if word in line]


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("gpu_check: error: "), done.stderr
    for part in parts:
        assert part in done.stderr


def test_without_a_gpu_it_ends_with_one_line_and_makes_nothing(machine):
    for body in (None, "#!/bin/bash\nexit 9\n", "#!/bin/bash\necho 'No devices found'\n"):
        (machine.path / "nvidia-smi").unlink(missing_ok=True)
        if body:
            machine.put("nvidia-smi", body)
        assert_one_line(machine.run(), 2, "no NVIDIA GPU was found", "--dry-run", "--device cpu")
        assert not (machine.root / ".venv-gpu").exists() and machine.calls_file.read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--bigg"], "unknown argument --bigg"),
        (["--minutes"], "--minutes needs a value"),
        (["--minutes", "0"], "--minutes is 0"),
        (["--minutes", "ten"], "--minutes is ten"),
        (["--device", "tpu"], "--device is tpu"),
        (["extra"], "unknown argument extra"),
    ],
)
def test_bad_arguments_are_named(machine, arguments, part):
    assert_one_line(machine.run(*arguments), 2, part, "--help")


def test_wheels_that_are_no_folder_are_named(machine):
    assert_one_line(machine.run("--dry-run", WHEELS="/no/such/folder"), 2, "WHEELS is /no/such/folder")


def test_help(machine):
    done = machine.run("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: launch/gpu_check")


def test_a_dry_run_shows_plan_and_wheels_and_makes_nothing(machine):
    (machine.path / "nvidia-smi").unlink()
    done = machine.run("--dry-run", "--big", "--minutes", "30", WHEELS=str(machine.wheels))
    assert done.returncode == 0, done.stderr
    assert machine.called("gpu-check") == ["python -m rl_align.cli gpu-check --dry-run --big --minutes 30"]
    assert machine.called("gpu_packages.py plan")[0].endswith(f"plan {machine.wheels}") and "missing: 3 packages" in done.stdout
    assert not (machine.root / ".venv-gpu").exists() and not (machine.root / ".logs").exists()


def test_the_environment_is_made_once_and_gets_what_is_missing(machine):
    files = f"{machine.wheels}/a-1.whl\\n{machine.wheels}/b-1.whl\\n"
    done = machine.run("--minutes", "30", "grpo.steps=3", WHEELS=str(machine.wheels), FAKE_FILES=files)
    assert done.returncode == 0, done.stdout + done.stderr
    install = machine.called("pip install")[0]
    assert "--no-index --no-deps" in install
    listed = Path(machine.root / ".cache" / "gpu-wheels.txt").read_text().split()
    assert (
        listed == [f"{machine.wheels}/a-1.whl", f"{machine.wheels}/b-1.whl"]
        and str(machine.root / ".cache/gpu-wheels.txt") in install
    )
    assert (machine.root / ".venv-gpu" / "lib" / "below.pth").read_text() == f"{machine.root}\n"
    check = machine.called("gpu-check")[0].split()
    assert check[3:5] == ["gpu-check", "--began"] and check[6:] == ["--minutes", "30", "grpo.steps=3"] and int(check[5]) > 1e9
    done = machine.run()
    assert not machine.called("-m venv") and not machine.called("pip install") and machine.called("gpu-check")


def test_another_interpreter_gets_a_new_environment(machine):
    machine.run()
    machine.put("other", PYTHON)
    machine.run(PYTHON=str(machine.path / "other"))
    assert len(machine.called("-m venv")) == 1


def test_an_interpreter_that_has_torch_is_preferred(machine):
    machine.put("python3.11", PYTHON.replace('exit "${FAKE_NO_TORCH:-0}"', "exit 1"))
    assert f"on top of {machine.path}/python3\n" in machine.run().stdout
    shutil.rmtree(machine.root / ".venv-gpu")
    assert f"on top of {machine.path}/python3.11\n" in machine.run(FAKE_NO_TORCH="1").stdout


def test_no_python_that_will_do(machine):
    assert_one_line(machine.run(FAKE_VERSION="3.13"), 2, "no Python 3.10 to 3.12 was found")


def test_what_is_missing_is_named(machine):
    done = machine.run(FAKE_MISSING="1", WHEELS=str(machine.wheels))
    assert_one_line(done, 1, "2 packages are neither installed nor in the folder: ray, verl==0.9.1", "WHEELS", "wheels-gpu.md")
    assert not machine.called("gpu-check")


def test_a_failed_installation_and_a_failed_environment_are_told(machine):
    assert_one_line(machine.run(FAKE_NO_VENV="1"), 1, "making .venv-gpu failed", ".logs/gpu_check-")
    assert_one_line(machine.run(FAKE_FILES="a.whl\\n", FAKE_PIP="1"), 1, "installing failed")


def test_no_compiler(machine):
    (machine.path / "cc").unlink()
    assert_one_line(machine.run(), 1, "no C compiler was found", "apt-get install gcc")


def test_no_space(machine):
    machine.put("df", "#!/bin/bash\nprintf 'Filesystem 1024-blocks Used Available\\n/dev/x 9 9 5767168\\n'\n")
    assert_one_line(machine.run(), 1, "only 5 GB are free", "at least 12 GB")


@pytest.mark.parametrize("code", ["0", "1", "2"])
def test_the_exit_code_of_the_check_is_kept(machine, code):
    assert machine.run(FAKE_RUN=code).returncode == int(code)


def test_the_check_of_a_cpu_uses_the_quickstarts_environment(machine):
    (machine.path / "nvidia-smi").unlink()
    assert_one_line(machine.run("--device", "cpu"), 2, ".venv is missing", "launch/quickstart --setup-only")
    (machine.root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(machine.path / "python3", machine.root / ".venv" / "bin" / "python")
    assert machine.run("--device", "cpu").returncode == 0
    assert machine.called("gpu-check") and not machine.called("-m venv") and not machine.called("gpu_packages")


def test_every_cache_lies_in_the_checkout(machine):
    machine.put("python3", PYTHON.replace('case "$*" in\n  "-m venv', 'env >"$ENV_OUT"\ncase "$*" in\n  "-m venv'))
    out = machine.root.parent / "env"
    machine.run(ENV_OUT=str(out), PYTHONPATH="/elsewhere")
    seen = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
    assert seen["HF_HOME"].startswith(f"{machine.root}/.cache") and "PYTHONPATH" not in seen
    assert os.path.isdir(machine.root / ".cache")
