"""What the matrix costs beside a bare client: the same requests at the same endpoint, by both in turns, in tokens a second.

rl-align bench eval --base-url http://127.0.0.1:8000/v1 --model grpo --model-folder runs/quickstart/models/grpo
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
from inspect_ai.model import GenerateConfig

from rl_align.data.items import write_items
from rl_align.endpoints.secret import Secret
from rl_align.eval.asking import messages
from rl_align.eval.grid.config import BenchmarkConfig, GridConfig, ModelConfig, check
from rl_align.eval.grid.run import Grid
from rl_align.eval.provider import VLLMChat
from rl_align.models.vocabulary import special_tokens, vision_bias
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.items import items as make_items
from rl_align.schema import Item


def bench(
    base_url: str,
    model: str,
    *,
    count: int = 512,
    concurrency: int = 128,
    rounds: int = 2,
    max_tokens: int = 160,
    folder: Path | None = None,
    api_key_env: str | None = None,
    console: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Asks the same pictures of the world greedily, by a bare asyncio client and by the matrix, in turns; prints a line each.

    Args:
        base_url: Of the endpoint, up to and including `/v1`.
        model: Name under which it serves the model.
        count: Items.
        concurrency: Requests in flight.
        rounds: How often each of them asks; what comes first changes.
        max_tokens: Longest answer.
        folder: Hugging Face folder of the model, for its special tokens.
        api_key_env: Environment variable that holds the key.
        console: Gets the lines.

    Returns:
        One row a pass: client, round, answers, tokens, seconds (from the first request to the last answer), tokens_per_second, and
        for the matrix whole_seconds, its start and end included. The last row has the ratios: of the sums over the rounds.

    Raises:
        RuntimeError: Answers are missing.
    """
    world = list(islice(make_items(PictogramsConfig(train=max(count, 300)), "train"), count))
    tokens = special_tokens(folder) if folder is not None else {}
    key = Secret.from_environment(api_key_env, "--api-key-env")
    some = world[:concurrency]  # what either of them does once in a process, and the server, too
    asyncio.run(_bare(base_url, _bodies(some, model, base_url, tokens, max_tokens), concurrency, key))
    _matrix(base_url, model, some, concurrency, max_tokens, folder, api_key_env)
    rows = []
    for number in range(1, rounds + 1):
        passes: list[Callable[[], dict[str, Any]]] = [
            lambda: asyncio.run(_bare(base_url, _bodies(world, model, base_url, tokens, max_tokens), concurrency, key)),
            lambda: _matrix(base_url, model, world, concurrency, max_tokens, folder, api_key_env),
        ]
        for one in passes if number % 2 else reversed(passes):
            row = one()
            rows.append({"round": number, **row, "tokens_per_second": round(row["tokens"] / row["seconds"], 1)})
            console(json.dumps(rows[-1]))
    speed = {c: _speed([r for r in rows if r["client"] == c]) for c in ("bare", "matrix")}
    rows.append(
        {"client": "ratio", "bare": speed["bare"], "matrix": speed["matrix"], "ratio": round(speed["matrix"] / speed["bare"], 3)}
    )
    console(json.dumps(rows[-1]))
    return rows


def _speed(rows: Sequence[dict[str, Any]]) -> float:
    return round(sum(r["tokens"] for r in rows) / sum(r["seconds"] for r in rows), 1)


def _bodies(items: Sequence[Item], model: str, url: str, tokens: dict[str, int], max_tokens: int) -> list[dict[str, Any]]:
    """The requests that the matrix sends for these items."""
    config = GenerateConfig(temperature=0.0, max_tokens=max_tokens, logit_bias=vision_bias(tokens) or None)
    provider = VLLMChat(model, url)
    return [provider.body(messages(item, tokens), config) for item in items]


async def _bare(base_url: str, bodies: Sequence[dict[str, Any]], concurrency: int, key: Secret) -> dict[str, Any]:
    """As many workers as may be in flight, one session, and nothing else."""
    waiting: Iterator[dict[str, Any]] = iter(bodies)
    written = answered = 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal written, answered
        for body in waiting:
            async with session.post(f"{base_url}/chat/completions", json=body) as reply:
                reply.raise_for_status()
                written += (await reply.json())["usage"]["completion_tokens"]
                answered += 1

    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2), headers=key.headers(), timeout=timeout
    ) as session:
        began = time.perf_counter()
        await asyncio.gather(*(work(session) for _ in range(concurrency)))
        took = time.perf_counter() - began
    return {"client": "bare", "answers": answered, "tokens": written, "seconds": round(took, 3)}


def _matrix(
    base_url: str, model: str, items: Sequence[Item], concurrency: int, max_tokens: int, folder: Path | None, key: str | None
) -> dict[str, Any]:
    """The same by the matrix, with no defence, in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="rl_align-bench-") as place:
        data = Path(place) / "items.parquet"
        write_items(data, list(items))
        cfg = GridConfig(
            out=f"{place}/out",
            models={"model": ModelConfig(base_url=base_url, model=model, api_key_env=key, tokenizer=folder and str(folder))},
            benchmarks={"world": BenchmarkConfig("pictograms", data=str(data), options={"max_tokens": max_tokens})},
            concurrency=concurrency,
        )
        check(cfg)
        began = time.perf_counter()
        grid = Grid(cfg, lambda line: None, _no_bar)
        grid.run()
        whole = time.perf_counter() - began
        [one] = grid.asked.values()
        if one.place.missing:
            raise RuntimeError(f"{one.place.missing} answers are missing: {next(iter(one.failed.values()))}")
        rows = one.place.rows
    took = {"seconds": round(one.seconds, 3), "whole_seconds": round(whole, 3)}
    return {"client": "matrix", "answers": len(rows), "tokens": sum(row["tokens"] for row in rows), **took}


@contextmanager
def _no_bar(total: int, done: int) -> Iterator[Callable[[int], None]]:
    yield lambda more: None
