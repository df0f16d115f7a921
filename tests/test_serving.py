"""How a model server is started, watched and ended. The processes here are shells; vLLM itself runs in the engine test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rl_align.endpoints import leash
from rl_align.endpoints.serving import ServerFailed, arguments, environment, free_ports, leashed, serving, wait_ready
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import UserError


def test_a_server_command_for_cpu_and_gpu(tmp_path):
    cpu, gpu = ServerConfig(), ServerConfig(device="cuda", tensor_parallel=2, extra=["--seed", "1"])
    command = arguments(Path("/m"), "sft", 1234, cpu)
    assert command[command.index("--distributed-executor-backend") + 1] == "uni"
    assert "--tensor-parallel-size" not in command and "--no-enable-chunked-prefill" in command
    command = arguments(Path("/m"), "sft", 1234, gpu)
    assert command[command.index("--tensor-parallel-size") + 1] == "2" and command[-2:] == ["--seed", "1"]
    assert "--enforce-eager" not in command
    assert environment(cpu, tmp_path, servers=10_000)["OMP_NUM_THREADS"] == "1"
    assert environment(replace(cpu, threads=5), tmp_path)["OMP_NUM_THREADS"] == "5"
    assert len(set(free_ports(3))) == 3


def _gone(pid: int, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def _grandchild(log: Path) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = log.read_text().splitlines() if log.exists() else []
        if lines and lines[0].strip().isdigit():
            return int(lines[0])
        time.sleep(0.02)
    raise AssertionError("the command did not start")


#: A command with a process of its own, as vLLM has; it prints that one's id.
NESTED = ["sh", "-c", "sleep 60 & echo $!; wait"]


def test_leaving_the_block_ends_the_whole_tree(tmp_path):
    log = tmp_path / "log"
    with leashed(NESTED, dict(os.environ), log):
        pid = _grandchild(log)
        assert not _gone(pid, within=0.1)
    assert _gone(pid)
    assert log.read_text().splitlines()[-1] == "ended with exit code -9"


def test_the_whole_tree_dies_with_a_parent_that_is_killed(tmp_path):
    """Lock: `kill -9` of the evaluation leaves no server and no temporary folder behind."""
    log, scratch = tmp_path / "log", tmp_path / "tmp"
    scratch.mkdir()
    code = (
        "import os, sys, time; from pathlib import Path; from rl_align.endpoints.serving import leashed\n"
        f"with leashed({NESTED!r}, dict(os.environ), Path(sys.argv[1])): time.sleep(60)"
    )
    root = Path(leash.__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", code, str(log)], cwd=root, env={**os.environ, "TMPDIR": str(scratch)})
    try:
        pid = _grandchild(log)
        assert len(list(scratch.iterdir())) == 1
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert _gone(pid)
    deadline = time.monotonic() + 5
    while list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(scratch.iterdir())


def test_a_server_that_ends_early_is_told_with_the_end_of_its_log(tmp_path):
    log = tmp_path / "log"
    with leashed(["sh", "-c", "echo the reason; exit 3"], dict(os.environ), log) as process:
        with pytest.raises(ServerFailed, match="(?s)of sft ended.*the reason\nended with exit code 3"):
            wait_ready("http://127.0.0.1:9/health", process, log, time.monotonic() + 10, "sft")


def test_a_server_that_never_answers_is_given_up(tmp_path):
    log = tmp_path / "log"
    with leashed(["sleep", "60"], dict(os.environ), log) as process:
        with pytest.raises(ServerFailed, match="not ready in time"):
            wait_ready("http://127.0.0.1:9/health", process, log, time.monotonic() + 0.2, "sft")


def test_a_folder_without_a_model_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no model to serve as 'sft'"):
        with serving({"sft": tmp_path}, ServerConfig(), tmp_path / "logs"):
            pass


def test_a_partner_that_does_not_come_up_is_missed_when_it_is_waited_for(tmp_path):
    from rl_align.engine.model_server import ModelServer, Served

    server = ModelServer(Served("target", tmp_path, ServerConfig(), tmp_path / "logs"))
    assert server.address().startswith("http://127.0.0.1:")
    server.start()  # nobody waits for this call, so it may not raise
    with pytest.raises(UserError, match="no model to serve as 'target'"):
        server.ready()
    server.stop()


def test_a_served_model_is_known_by_its_files_and_not_by_where_and_when(tmp_path):
    """Lock: it stands in the key of kept answers; a model that was trained again in the same folder must not find the old ones."""
    from rl_align.engine.model_server import Served

    def served(name: str, weights: bytes, **cfg) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        return Served("judge", folder, ServerConfig(**cfg), tmp_path / name / "logs").identity

    first = served("a", b"0" * 100)
    os.utime(tmp_path / "a" / "model.safetensors", (1, 1))
    assert first == served("a", b"0" * 100, threads=3) == served("b", b"0" * 100)
    assert len({first, served("a", b"1" * 100), served("b", b"0" * 100, dtype="float32")}) == 3
