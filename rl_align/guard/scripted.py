"""A rewriter and a target that follow a script, for trials and measurements without a model.

    python -m rl_align.guard.scripted rewriter --port 8001
    python -m rl_align.guard.scripted target --port 8002 --latency 0.05

The rewriter answers every prompt with a transcript whose rewrite is the prompt behind "Safely: "; the target says what it
was asked.
Both stream where they are asked to, and `GET /counts` tells how many requests came and how many were under way at once at most.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"
PREFIX = "Safely: "


def transcript(body: Mapping[str, Any]) -> str:
    """The scripted rewriter's answer to a request."""
    threat = "text: none\nimage: none\njoint: none\npolicy: none"
    return f"<threat>\n{threat}\n</threat>\n<intent>\nTo know.\n</intent>\n<rewrite>\n{PREFIX}{_asked(body)}\n</rewrite>"


def echo(body: Mapping[str, Any]) -> str:
    """The scripted target's answer to a request."""
    return f"You asked: {_asked(body)}"


SEATS = {"rewriter": transcript, "target": echo}


def application(seat: str, latency_s: float = 0.0) -> web.Application:
    """The endpoint of one seat.

    Args:
        seat: rewriter or target.
        latency_s: Seconds to an answer.
    """
    counts = {"requests": 0, "under_way": 0, "most": 0}

    async def handle(request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        counts["requests"] += 1
        counts["under_way"] += 1
        counts["most"] = max(counts["most"], counts["under_way"])
        try:
            await asyncio.sleep(latency_s)
            text = SEATS[seat](body)
            if body.get("stream"):
                return await _stream(request, body, text)
            return web.json_response(completion(body, text))
        finally:
            counts["under_way"] -= 1

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": seat, "object": "model", "owned_by": "script"}]})

    async def tell(request: web.Request) -> web.Response:
        return web.json_response(counts)

    app = web.Application(client_max_size=2**28)
    app.router.add_post("/v1/chat/completions", handle)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/counts", tell)
    return app


def completion(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A whole answer, as OpenAI's API gives it."""
    words = sum(len(str(m.get("content"))) for m in body.get("messages", ())) // 4
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": words, "completion_tokens": len(text) // 4, "total_tokens": words + len(text) // 4},
    }


def events(body: Mapping[str, Any], text: str) -> list[bytes]:
    """The same answer word by word, as events of a stream."""
    about = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": body.get("model")}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in _words(text)), {}]
    last = len(deltas) - 1
    chunks = [
        {**about, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop" if i == last else None}]}
        for i, delta in enumerate(deltas)
    ]
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n"]


async def _stream(request: web.Request, body: Mapping[str, Any], text: str) -> web.StreamResponse:
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    for event in events(body, text):
        await reply.write(event)
    await reply.write_eof()
    return reply


def _asked(body: Mapping[str, Any]) -> str:
    content = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "user"), "")
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def _words(text: str) -> list[str]:
    return [word if i == 0 else f" {word}" for i, word in enumerate(text.split(" "))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until the process is ended; prints the base URL."""
    parser = argparse.ArgumentParser(prog="python -m rl_align.guard.scripted", description="A scripted rewriter or target.")
    parser.add_argument("seat", choices=sorted(SEATS))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args(arguments)

    async def run() -> None:
        runner = web.AppRunner(application(given.seat, given.latency), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, given.port, backlog=1024).start()
        print(f"http://{HOST}:{runner.addresses[0][1]}/v1", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
