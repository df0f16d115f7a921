"""What the client costs, measured against the fake endpoint. One line of JSON for each figure.

    python -m rl_align.endpoints.bench calls --server-core 0 --client-core 1     # 4,096 calls of 200 ms, 64 at once
    python -m rl_align.endpoints.bench chaos                                     # the same work, healthy and with 30 % mishaps
    python -m rl_align.endpoints.bench cache                                     # answers that are known: memory, file, images

The endpoint runs in a process of its own; name the cores where both share a machine with other work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .client import Endpoint
from .config import EndpointConfig
from .images import image_part
from .types import Completion, EndpointError, Message

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 5}, "reason": {"type": "string", "maxLength": 80}},
    "required": ["score", "reason"],
    "additionalProperties": False,
}
PROMPT = "Grade how well the answer below fits the request. " + "The words in between stand for a transcript. " * 12

#: 30 % of the requests, as a busy provider fails: at once where it refuses, late or never where it hangs.
CHAOS = (
    "delay=0.06,drop=0.04,rate_limited=0.04,rate_limited_mute=0.03,server_error=0.04,truncated_json=0.03,truncated_reply=0.02,"
    "wrong_language=0.035,silent=0.005,delay_s=0.4,retry_after_s=1"
)


def chat(number: int) -> list[Message]:
    """A judge's question, different for every number."""
    return [{"role": "system", "content": "You grade answers."}, {"role": "user", "content": f"{PROMPT}\nAnswer {number}"}]


@contextmanager
def fake(low: float, high: float, chaos: str = "", core: int | None = None, seed: int = 0) -> Iterator[str]:
    """The fake endpoint in another process; yields its base URL."""
    command = [sys.executable, "-m", "rl_align.endpoints.fake", "--latency", str(low), str(high), "--seed", str(seed)]
    process = subprocess.Popen([*command, "--chaos", chaos], stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def counts(base_url: str) -> dict[str, int]:
    """What the fake endpoint says it did."""
    with urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/counts", timeout=5) as reply:
        return json.load(reply)


async def ask_all(endpoint: Endpoint, chats: Sequence[Sequence[Message]]) -> tuple[list[Completion | EndpointError], float]:
    """Everything at once, and the seconds that it took."""
    began = time.perf_counter()
    asked = (endpoint.complete(c, schema=SCHEMA, version="1") for c in chats)
    ended = await asyncio.gather(*asked, return_exceptions=True)
    return ended, time.perf_counter() - began  # type: ignore[return-value]


async def ask_all_timed(endpoint: Endpoint, chats: Sequence[list[Message]]) -> tuple[list[Completion | EndpointError], list[float]]:
    """Everything at once, and the seconds after which each one ended, in order."""
    began = time.perf_counter()
    ends: list[float] = []

    async def ask(messages: Sequence[Message]) -> Completion | EndpointError:
        try:
            return await endpoint.complete(messages, schema=SCHEMA, version="1")
        except EndpointError as error:
            return error
        finally:
            ends.append(time.perf_counter() - began)

    return await asyncio.gather(*(ask(c) for c in chats)), ends


def calls(number: int, concurrency: int, latency_s: float, core: int | None) -> dict[str, Any]:
    """Seconds for many calls, beside the ideal."""

    async def run(url: str) -> tuple[float, float]:
        async with Endpoint(EndpointConfig(url, "fake", concurrency=concurrency)) as endpoint:
            await ask_all(endpoint, [chat(-1 - i) for i in range(concurrency)])  # connections, imports
            cpu = time.process_time()
            ended, took = await ask_all(endpoint, [chat(i) for i in range(number)])
            cpu = time.process_time() - cpu
        assert all(isinstance(e, Completion) for e in ended)
        return took, cpu

    with fake(latency_s, latency_s, core=core) as url:
        took, cpu = asyncio.run(run(url))
    ideal = number / concurrency * latency_s
    cost = round(cpu / number * 1e3, 3)
    return {"calls": number, "seconds": round(took, 2), "ideal": ideal, "ratio": round(took / ideal, 3), "cpu_ms_a_call": cost}


def chaos(number: int, concurrency: int, core: int | None, mishaps: str = CHAOS) -> dict[str, Any]:
    """Throughput with mishaps, beside that without; every call and every request accounted for."""

    async def run(url: str) -> tuple[list[Completion | EndpointError], list[float], dict[str, float]]:
        cfg = EndpointConfig(url, "fake", concurrency=concurrency, read_timeout_s=2, deadline_s=120, backoff_s=0.25)
        async with Endpoint(cfg) as endpoint:
            ended, ends = await ask_all_timed(endpoint, [chat(i) for i in range(number)])
            return ended, ends, endpoint.metrics()

    with fake(0.1, 0.2, core=core) as url:
        _, healthy, _ = asyncio.run(run(url))
    with fake(0.1, 0.2, mishaps, core=core) as url:
        ended, ends, metrics = asyncio.run(run(url))
        told = counts(url)
    outcomes = Counter(str(e.reason) if isinstance(e, EndpointError) else type(e).__name__ for e in ended)
    return {
        "calls": number,
        "healthy_s": round(healthy[-1], 2),
        "chaos_s": round(ends[-1], 2),
        "throughput": round(healthy[-1] / ends[-1], 3),
        # Without the wait for the last few, which does not grow with the number of calls.
        "throughput_of_99_percent": round(healthy[number * 99 // 100 - 1] / ends[number * 99 // 100 - 1], 3),
        "outcomes": outcomes,
        "requests": [metrics["judge/requests"], told["requests"]],
        "mishaps": round(1 - told["ok"] / told["requests"], 3),
        "retries": metrics["judge/retries"],
        "repairs": metrics["judge/repairs"],
    }


def cache(number: int, rounds: int = 8) -> Iterator[dict[str, Any]]:
    """Known answers a second, the best of `rounds`: from memory, from the file in a fresh process, one by one and all at once."""
    picture = b"\x89PNG\r\n\x1a\n" + random.Random(0).randbytes(100_000)
    with tempfile.TemporaryDirectory() as folder, fake(0, 0) as url:
        cfg = EndpointConfig(url, "fake", cache=str(Path(folder) / "cache.sqlite"))

        async def run() -> Iterator[dict[str, Any]]:
            figures = []
            async with Endpoint(cfg) as endpoint:
                chats = [chat(i) for i in range(number)]
                for name, some in (("text", chats), ("image of 100 kB", [_with_image(c, picture) for c in chats[:400]])):
                    await ask_all(endpoint, some)
                    for how in (ask_all, _one_by_one):
                        best = min([(await how(endpoint, some))[1] for _ in range(rounds)])
                        figures.append({"cache": "memory", "of": name, "how": how.__name__, "a_second": round(len(some) / best)})
            return figures

        yield from asyncio.run(run())
        for how in (ask_all.__name__, _one_by_one.__name__):
            command = [sys.executable, "-m", "rl_align.endpoints.bench", "fresh", "--file", cfg.cache, "--url", url, "--how", how]
            done = [json.loads(subprocess.check_output([*command, "--calls", str(number)])) for _ in range(rounds)]
            yield max(done, key=lambda figure: figure["a_second"])


def fresh(file: str, url: str, number: int, how: str) -> dict[str, Any]:
    """Known answers a second in a process that has none in memory."""

    async def run() -> float:
        async with Endpoint(EndpointConfig(url, "fake", cache=file)) as endpoint:
            # Opens the file and starts the thread, which a run does once.
            await endpoint.complete(chat(0), schema=SCHEMA, version="1")
            ended, took = await globals()[how](endpoint, [chat(i) for i in range(number)])
            assert endpoint.metrics()["judge/requests"] == 0
            assert all(isinstance(e, Completion) and e.cached for e in ended)
            return took

    return {"cache": "file, fresh process", "of": "text", "how": how, "a_second": round(number / asyncio.run(run()))}


def _with_image(messages: Sequence[Message], data: bytes) -> list[Message]:
    last = messages[-1]
    return [*messages[:-1], {**last, "content": [image_part(data), {"type": "text", "text": last["content"]}]}]


async def _one_by_one(endpoint: Endpoint, chats: Sequence[Sequence[Message]]) -> tuple[list[Completion], float]:
    began = time.perf_counter()
    ended = [await endpoint.complete(c, schema=SCHEMA, version="1") for c in chats]
    return ended, time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m rl_align.endpoints.bench", description="What the client costs.")
    parser.add_argument("what", choices=("calls", "chaos", "cache", "fresh"))
    parser.add_argument("--calls", type=int, default=4096)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds, of `calls`")
    parser.add_argument("--client-core", type=int)
    parser.add_argument("--server-core", type=int)
    parser.add_argument("--file")
    parser.add_argument("--url")
    parser.add_argument("--how")
    given = parser.parse_args(arguments)
    if given.client_core is not None:
        os.sched_setaffinity(0, {given.client_core})
    if given.what == "calls":
        figures = [calls(given.calls, given.concurrency, given.latency, given.server_core)]
    elif given.what == "chaos":
        figures = [chaos(given.calls, given.concurrency, given.server_core)]
    elif given.what == "cache":
        figures = cache(given.calls)
    else:
        figures = [fresh(given.file, given.url, given.calls, given.how)]
    for figure in figures:
        print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
