"""What the guard costs, measured against scripted endpoints. Rewriter, target, guard and client are each a process of their own.

    python -m rl_align.guard.bench latency                    # one request at a time, an image of 32 kB
    python -m rl_align.guard.bench load --concurrency 200     # many at once, half of them streamed

`latency` times three requests in turn: through the guard, the rewriter's alone and the target's alone, each sent directly with what
the guard sends it. What the guard adds is the first less the other two. One line of JSON for each measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import aiohttp

from rl_align.transcript.prompts import REWRITER_SYSTEM

from .scripted import PREFIX

_WARM = 50


def picture(size: int, seed: int = 0) -> bytes:
    """A JPEG of a little over `size` bytes: smooth colours under noise, as a photograph compresses."""
    from PIL import Image

    chance = random.Random(seed)
    width, data = 96, b""
    while len(data) < size:
        width += 16
        low = Image.frombytes("RGB", (16, 12), chance.randbytes(16 * 12 * 3))
        noise = Image.effect_noise((width, width * 3 // 4), 24).convert("RGB")
        image = Image.blend(low.resize(noise.size, Image.Resampling.BICUBIC), noise, 0.3)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=85)
        data = out.getvalue()
    return data


def chat(number: int, image: str | None, *, system: str | None = None, prefix: str = "") -> list[dict[str, Any]]:
    """A request's messages, different for every number."""
    text = f"{prefix}What is the object on the left for? Question {number}."
    content: Any = text
    if image is not None:
        content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": text}]
    about = [] if system is None else [{"role": "system", "content": system}]
    return [*about, {"role": "user", "content": content}]


@contextmanager
def _process(*command: str) -> Iterator[str]:
    """A command of this project in a process of its own; yields the base URL that it prints."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise RuntimeError(f"{' '.join(command)} did not start")
        yield line.strip().removeprefix("guard: ")
    finally:
        process.kill()
        process.wait()


@contextmanager
def started(latency_s: float) -> Iterator[tuple[str, str, str]]:
    """Base URLs of a guard, its scripted rewriter and its scripted target.

    Args:
        latency_s: Of rewriter and target each.
    """
    scripted = "rl_align.guard.scripted"
    with ExitStack() as stack:
        seats = [stack.enter_context(_process(scripted, seat, "--latency", str(latency_s))) for seat in ("rewriter", "target")]
        addresses = ("--rewriter", seats[0], "--upstream", seats[1])
        guard = stack.enter_context(_process("rl_align.cli", "guard", "serve", *addresses, "--port", "0"))
        yield guard, seats[0], seats[1]


async def _timed(session: aiohttp.ClientSession, url: str, body: bytes) -> float:
    began = time.perf_counter()
    async with session.post(f"{url}/chat/completions", data=body, headers={"Content-Type": "application/json"}) as reply:
        text = await reply.read()
    took = time.perf_counter() - began
    if reply.status != 200:
        raise RuntimeError(f"{url} answered {reply.status}: {text[:300]!r}")
    return took


def latency(count: int, image_bytes: int, latency_s: float) -> dict[str, Any]:
    """What the guard adds to one request at a time, in milliseconds.

    Args:
        count: Requests that are measured.
        image_bytes: Size of the image; 0 for none.
        latency_s: Of rewriter and target each.
    """
    data = picture(image_bytes) if image_bytes else b""
    image = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else None

    async def run(guard: str, rewriter: str, target: str) -> list[tuple[float, float, float]]:
        rows = []
        async with aiohttp.ClientSession() as session:
            for i in range(_WARM + count):
                through = json.dumps({"model": "target", "messages": chat(i, image)}).encode()
                asked = {
                    "model": "rewriter",
                    "messages": chat(i, image, system=REWRITER_SYSTEM),
                    "max_tokens": 768,
                    "temperature": 0.0,
                }
                sent = {"model": "target", "messages": chat(i, image, prefix=PREFIX)}
                total = await _timed(session, guard, through)
                parts = [await _timed(session, url, json.dumps(b).encode()) for url, b in ((rewriter, asked), (target, sent))]
                rows.append((total, *parts))
        return rows[_WARM:]

    with started(latency_s) as urls:
        rows = asyncio.run(run(*urls))
        own = _own_seconds(urls[0])
    added = sorted((total - rewriter - target) * 1e3 for total, rewriter, target in rows)
    median = [statistics.median(column) * 1e3 for column in zip(*rows, strict=True)]
    return {
        "requests": count,
        "image_bytes": len(data),
        "total_ms": round(median[0], 3),
        "rewriter_ms": round(median[1], 3),
        "target_ms": round(median[2], 3),
        "added_ms_median": round(statistics.median(added), 3),
        "added_ms_p90": round(added[int(len(added) * 0.9)], 3),
        "overhead_seen_by_the_guard_ms_mean": round(own * 1e3, 3),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def load(concurrency: int, rounds: int, image_bytes: int, latency_s: float) -> dict[str, Any]:
    """Many requests at once, again and again: how many were held at the same time, and how each ended.

    Args:
        concurrency: Requests at once.
        rounds: How many times.
        image_bytes: Size of the image; 0 for none.
        latency_s: Of rewriter and target each.
    """
    data = picture(image_bytes) if image_bytes else b""
    image = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else None

    async def one(session: aiohttp.ClientSession, url: str, number: int) -> tuple[str, float]:
        body = {"model": "target", "messages": chat(number, image), "stream": number % 2 == 1}
        began = time.perf_counter()
        try:
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                text = await reply.read()
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            return type(error).__name__, time.perf_counter() - began
        whole = text.endswith(b"data: [DONE]\n\n") if body["stream"] else f"Question {number}.".encode() in text
        return ("ok" if reply.status == 200 and whole else f"status {reply.status}"), time.perf_counter() - began

    async def run(url: str) -> tuple[list[tuple[str, float]], float]:
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            began = time.perf_counter()
            ended: list[tuple[str, float]] = []
            for i in range(rounds):
                ended += await asyncio.gather(*(one(session, url, i * concurrency + j) for j in range(concurrency)))
            return ended, time.perf_counter() - began

    with started(latency_s) as (guard, rewriter, target):
        ended, took = asyncio.run(run(guard))
        most = {
            seat: _json(url.removesuffix("/v1") + "/counts")["most"] for seat, url in (("rewriter", rewriter), ("target", target))
        }
    seconds = sorted(s for _, s in ended)
    return {
        "concurrency": concurrency,
        "requests": len(ended),
        "outcomes": Counter(outcome for outcome, _ in ended),
        "most_at_once": most,
        "requests_a_second": round(len(ended) / took, 1),
        "median_s": round(statistics.median(seconds), 3),
        "longest_s": round(seconds[-1], 3),
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def _own_seconds(guard: str) -> float:
    """Mean of the overhead that the guard measures itself; the client's side of the connection is not in it."""
    with urllib.request.urlopen(guard.removesuffix("/v1") + "/metrics", timeout=5) as reply:
        values = dict(line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if line.startswith("guard_overhead"))
    return float(values["guard_overhead_seconds_sum"]) / max(1.0, float(values["guard_overhead_seconds_count"]))


def _json(url: str) -> Mapping[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m rl_align.guard.bench", description="What the guard costs.")
    parser.add_argument("what", choices=("latency", "load"))
    parser.add_argument("--count", type=int, default=300, help="requests of `latency`")
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", type=int, default=32_000, metavar="BYTES", help="0 for none")
    parser.add_argument("--latency", type=float, metavar="SECONDS", help="of rewriter and target (default: 0, in `load` 0.5)")
    given = parser.parse_args(arguments)
    if given.what == "latency":
        figures = latency(given.count, given.image, given.latency or 0.0)
    else:
        figures = load(given.concurrency, given.rounds, given.image, 0.5 if given.latency is None else given.latency)
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
