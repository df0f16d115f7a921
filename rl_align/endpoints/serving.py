"""vLLM's OpenAI-compatible server as a child process that never outlives us."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rl_align.endpoints import leash
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import UserError

HOST = "127.0.0.1"
_TAIL_LINES = 30
_POLL_S = 0.1


class ServerFailed(RuntimeError):
    """A server that did not come up. The message ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        name: Name of the served model.
        base_url: Up to and including `/v1`.
        log: What the server printed.
        ready_s: Seconds from start to ready.
    """

    name: str
    base_url: str
    log: Path
    ready_s: float


def arguments(model: Path, name: str, port: int, cfg: ServerConfig, host: str = HOST) -> list[str]:
    """The command that serves a model folder under a name."""
    options = {
        "--served-model-name": name,
        "--host": host,
        "--port": port,
        "--dtype": cfg.dtype,
        "--max-model-len": cfg.max_model_len,
        "--max-num-seqs": cfg.max_num_seqs,
        "--max-num-batched-tokens": max(cfg.max_model_len, 4096),
        # A request that is refused after its image was cached leaves the caches of the server's two processes out of step,
        # and later requests with the same image fail.
        "--mm-processor-cache-gb": 0,
        "--limit-mm-per-prompt": '{"video": 0}',
        "--uvicorn-log-level": "warning",
    }
    switches = ["--disable-log-stats"]
    if cfg.device == "cpu":
        # A seeded request whose prompt is split over two batches ends vLLM 0.32's engine on a CPU ("CPU Generator does not use
        # offset"); without chunked prefill no prompt is split.
        switches += ["--no-enable-chunked-prefill", "--no-enable-prefix-caching", "--enforce-eager"]
        options["--distributed-executor-backend"] = "uni"
    else:
        options |= {
            "--gpu-memory-utilization": cfg.gpu_memory_utilization,
            "--tensor-parallel-size": cfg.tensor_parallel,
        }
    # Not `vllm serve`: it asks for the version of a distribution named vllm, which the CPU build is not.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    return [*command, *(str(part) for option in options.items() for part in option), *switches, *cfg.extra]


def environment(cfg: ServerConfig, cache: Path, servers: int = 1) -> dict[str, str]:
    """The environment of a server.

    Args:
        cfg: Settings.
        cache: Folder for what vLLM keeps between starts (8 s of the first start), unless VLLM_CACHE_ROOT names one.
        servers: Servers that share the machine.
    """
    env = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_CACHE_ROOT": os.environ.get("VLLM_CACHE_ROOT") or str(cache),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONWARNINGS": "ignore",
    }
    if cfg.device == "cpu":
        threads = str(cfg.threads or max(1, len(os.sched_getaffinity(0)) // servers))
        env |= {
            "VLLM_TARGET_DEVICE": "cpu",
            "VLLM_CPU_KVCACHE_SPACE": str(cfg.kv_cache_gb),
            # Lets the engine run its model itself: with a worker process it waits by spinning on shared memory.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "TORCH_COMPILE_DISABLE": "1",  # one small function of the sampler, 8 s of a C++ compiler
        }
    return env


@contextmanager
def serving(
    models: Mapping[str, Path], cfg: ServerConfig, logs: Path, host: str = HOST, ports: Sequence[int] = ()
) -> Iterator[dict[str, Server]]:
    """Serves every model of `models`, started side by side, until the block ends or this process does.

    Args:
        models: Name → Hugging Face folder.
        cfg: Settings of each server.
        logs: Folder for `<name>.log`.
        host: Address that servers listen on; another one than this machine's own is open to its network.
        ports: One a model; free ones by default.

    Raises:
        UserError: A folder without a model.
        ServerFailed: A server ended, or was not ready before its deadline.
    """
    for name, folder in models.items():
        if not (Path(folder) / "config.json").is_file():
            expected = "a Hugging Face folder with a config.json"
            raise UserError(f"no model to serve as {name!r}", where=str(folder), expected=expected)
    logs.mkdir(parents=True, exist_ok=True)
    ports = ports or free_ports(len(models))
    with ExitStack() as stack:
        began = time.monotonic()
        started = {}
        for (name, folder), port in zip(models.items(), ports, strict=True):
            log = logs / f"{name}.log"
            env = environment(cfg, logs.absolute() / "vllm_cache", len(models))
            command = arguments(Path(folder).absolute(), name, port, cfg, host)
            started[name] = port, log, stack.enter_context(leashed(command, env, log))
        servers = {}
        for name, (port, log, process) in started.items():
            url = f"http://{host}:{port}"
            wait_ready(f"{url}/health", process, log, began + cfg.start_timeout_s, name)
            servers[name] = Server(name, f"{url}/v1", log, time.monotonic() - began)
        yield servers


@contextmanager
def leashed(command: list[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command whose process tree ends with the block, or with this process."""
    scratch = tempfile.mkdtemp(prefix="rl_align-")
    reading, writing = os.pipe()
    leash_command = [sys.executable, "-I", leash.__file__, str(reading), scratch, *command]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            leash_command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(reading,),
            start_new_session=True,
        )
    os.close(reading)
    try:
        yield process
    finally:
        os.close(writing)
        process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def wait_ready(url: str, process: subprocess.Popen[bytes], log: Path, deadline: float, name: str) -> None:
    """Returns when `url` answers 200.

    Args:
        url: Health endpoint.
        process: The server; when it ends there is nothing to wait for.
        log: Its log, for the error message.
        deadline: Latest time, on `time.monotonic`'s clock.
        name: The model, for the error message.

    Raises:
        ServerFailed: The process ended or the deadline passed.
    """
    while True:
        if process.poll() is not None:
            raise ServerFailed(f"the server of {name} ended before it was ready; {tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        if time.monotonic() > deadline:
            raise ServerFailed(f"the server of {name} was not ready in time (eval.server.start_timeout_s); {tail(log)}")
        time.sleep(_POLL_S)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The end of a log, introduced by its path."""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] if log.is_file() else []
    return f"{log} ends with:\n" + "\n".join(text or ["(nothing)"])


def free_ports(n: int) -> list[int]:
    """Distinct ports of this host that nobody listens on at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(n)]
        for s in sockets:
            s.bind((HOST, 0))
        return [s.getsockname()[1] for s in sockets]
