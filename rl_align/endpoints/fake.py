"""A scripted OpenAI-compatible endpoint on this machine, for tests and trial runs without a model.

    python -m rl_align.endpoints.fake --port 8001 --latency 0.1 0.2 --chaos drop=0.05,server_error=0.05

It answers every chat with one sentence, or, where a JSON schema is asked for, with a value that fits it: always the same one for
the same messages. `GET /counts` tells what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .chaos import Chaos, Mishap, parse
from .example import example
from .structured import SCHEMA_FOLLOWS

HOST = "127.0.0.1"
_KEPT = 1000
_SENTENCE = "This is the scripted answer of a fake endpoint."
_ELSEWHERE = "Je regrette, voici seulement une phrase en français."


@dataclass(frozen=True)
class Script:
    """What the endpoint does.

    Attributes:
        latency_s: Shortest and longest time to an answer; drawn evenly.
        chaos: What goes wrong, by share.
        first: What happens to the first requests, in order, before shares decide; None for nothing.
        answer: Request → generated text; None for the default.
        seed: Of everything that is drawn.
    """

    latency_s: tuple[float, float] = (0.0, 0.0)
    chaos: Chaos = Chaos()
    first: Sequence[Mishap | None] = ()
    answer: Callable[[Mapping[str, Any]], str] | None = None
    seed: int = 0


class Fake:
    """The endpoint, in a thread of its own while the `with` block lasts.

    Attributes:
        base_url: What a client is given; set inside the block.
        counts: What it did: `requests`, `ok`, and each mishap by name.
        most: The most requests that were under way at once.
        seen: The last requests, as `(headers, body)`.
    """

    def __init__(self, script: Script = Script(), port: int = 0):  # noqa: B008 (frozen)
        self._script = script
        self._port = port
        self._chance = random.Random(script.seed)
        self._first = deque(script.first)
        self._stop = asyncio.Event()
        self.base_url = ""
        self.counts: Counter[str] = Counter()
        self.most = 0
        self._under_way = 0
        self.seen: deque[tuple[Mapping[str, str], dict[str, Any]]] = deque(maxlen=_KEPT)

    def __enter__(self) -> Fake:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self.serve(ready.set),), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the fake endpoint did not start")
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serves in the running loop until it is stopped."""
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_get("/counts", self._tell)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._port, backlog=1024).start()
        self.base_url = f"http://{HOST}:{runner.addresses[0][1]}/v1"
        ready()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    async def _tell(self, request: web.Request) -> web.Response:
        return web.json_response(dict(self.counts))

    async def _handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen.append((dict(request.headers), body))
        mishap = self._first.popleft() if self._first else self._script.chaos.draw(self._chance)
        self.counts["requests"] += 1
        self.counts[str(mishap or "ok")] += 1
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            return await self._respond(mishap, request, body)
        finally:
            self._under_way -= 1

    async def _respond(self, mishap: Mishap | None, request: web.Request, body: dict[str, Any]) -> web.Response:
        refusal = await self._refuse(mishap, request)
        if refusal is not None:
            return refusal
        late = self._script.chaos.delay_s if mishap is Mishap.delay else 0.0
        await asyncio.sleep(self._chance.uniform(*self._script.latency_s) + late)
        return _reply(body, self._text(mishap, body), mishap)

    async def _refuse(self, mishap: Mishap | None, request: web.Request) -> web.Response | None:
        """What fails at once, as it does at a real endpoint: nothing is generated."""
        if mishap is Mishap.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if mishap is Mishap.silent:
            await self._stop.wait()
            return web.Response(status=503)
        if mishap in (Mishap.rate_limited, Mishap.rate_limited_mute):
            headers = {"Retry-After": f"{self._script.chaos.retry_after_s:g}"} if mishap is Mishap.rate_limited else {}
            return web.json_response({"error": {"message": "too many requests"}}, status=429, headers=headers)
        if mishap is Mishap.server_error:
            return web.json_response({"error": {"message": "something broke"}}, status=500)
        return None

    def _text(self, mishap: Mishap | None, body: Mapping[str, Any]) -> str:
        if mishap is Mishap.wrong_language:
            return _ELSEWHERE
        text = (self._script.answer or answer)(body)
        return text[: len(text) // 2] if mishap is Mishap.truncated_json else text


def answer(body: Mapping[str, Any]) -> str:
    """A value that fits the schema that a request asks for, else a sentence; the same one for the same messages."""
    schema = _schema(body)
    if schema is None:
        return _SENTENCE
    digest = hashlib.sha256(json.dumps(body["messages"], sort_keys=True).encode()).digest()
    return json.dumps(example(schema, random.Random(digest)))


def _schema(body: Mapping[str, Any]) -> Any:
    """The schema that is asked for: in the request, else in its words, as the client puts it there."""
    form = (body.get("response_format") or {}).get("json_schema")
    if form is not None:
        return form["schema"]
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1].get("text", "")
    _, told, schema = text.rpartition(SCHEMA_FOLLOWS)
    return json.loads(schema) if told else None


def _reply(body: Mapping[str, Any], text: str, mishap: Mishap | None) -> web.Response:
    words = sum(len(str(m.get("content"))) for m in body.get("messages", ())) // 4
    reply = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "model": body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "length" if mishap is Mishap.truncated_json else "stop",
            }
        ],
        "usage": {"prompt_tokens": words, "completion_tokens": len(text) // 4, "total_tokens": words + len(text) // 4},
    }
    data = json.dumps(reply).encode()
    return web.Response(body=data[: len(data) // 2] if mishap is Mishap.truncated_reply else data, content_type="application/json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until the process is ended; prints the base URL."""
    parser = argparse.ArgumentParser(prog="python -m rl_align.endpoints.fake", description="A scripted endpoint on this machine.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.0), metavar=("LOW", "HIGH"), help="seconds")
    parser.add_argument("--chaos", type=parse, default=Chaos(), help="name=share,… and delay_s, retry_after_s")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    fake = Fake(Script(tuple(given.latency), given.chaos, seed=given.seed), given.port)
    try:
        asyncio.run(fake.serve(lambda: print(fake.base_url, flush=True)))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
