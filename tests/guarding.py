"""What the tests of the guard share: pictures, transcripts, scripted seats, and a proxy with what stands behind it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web
from PIL import Image

from rl_align.config import load_config
from rl_align.endpoints.types import Completer, Completion, EndpointError
from rl_align.guard.config import GuardConfig
from rl_align.guard.protocol import bounded
from rl_align.guard.scripted import completion, events
from rl_align.guard.server import create_app
from rl_align.transcript.rewriter import render_rewrite

#: Nobody listens there: the discard service is long gone.
NOBODY = "http://127.0.0.1:9/v1"
UPSTREAM_KEY = "sk-upstream/0123456789abcdef"


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8), colour: str = "red") -> bytes:
    """An encoded picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def shown(*urls: Any, text: str | None = "What is this?") -> list[dict[str, Any]]:
    """A chat of one turn that shows images."""
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": parts if text is None else [*parts, {"type": "text", "text": text}]}]


def transcript(rewrite: str = "What is this, safely?", **parts: Any) -> str:
    given = {"text": "none", "image": "none", "joint": "none", "policy": None, "intent": "To know.", **parts}
    return render_rewrite(**given, rewrite=rewrite)


class Scripted(Completer):
    """A seat that says what it is told to, one answer after the other, the last one for ever. An error is raised."""

    def __init__(self, *answers: str | Completion | EndpointError):
        self.answers = list(answers)
        self.seen: list[list[dict[str, Any]]] = []

    async def complete(self, messages, sampling=None, *, schema=None, version="", sample=0):
        self.seen.append(json.loads(json.dumps(messages)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, EndpointError):
            raise answer
        return answer if isinstance(answer, Completion) else Completion(answer)


class Target:
    """An endpoint behind the proxy, in a thread of its own; `behave` says what it does with a request.

    Attributes:
        base_url: Its address.
        seen: Headers and bodies of the requests.
        hung_up: How many requests ended because the proxy hung up.
    """

    def __init__(self, behave: Callable[[web.Request, dict], Any] | None = None):
        self.behave = behave
        self.seen: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.hung_up = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.seen.append(({k.lower(): v for k, v in request.headers.items()}, body))
        try:
            if self.behave is not None:
                return await self.behave(request, body)
            return await answered(request, body)
        except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientConnectionError):
            self.hung_up += 1
            raise

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "target", "object": "model"}]})


async def answered(request: web.Request, body: dict[str, Any], text: str = "A red square.") -> web.StreamResponse:
    """A proper answer, streamed if it was asked for."""
    if not body.get("stream"):
        return web.json_response(completion(body, text))
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    for event in events(body, text):
        await reply.write(event)
    return reply


@contextmanager
def serving(routes: dict[str, Callable]) -> Iterator[str]:
    """An aiohttp server in a thread; yields `http://127.0.0.1:port`. Keys are such as `POST /v1/chat/completions`."""
    loop, ready, stop, address = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def main() -> None:
        app = web.Application(client_max_size=2**28)
        for route, handler in routes.items():
            app.router.add_route(*route.split(" "), handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@contextmanager
def target(behave: Callable | None = None) -> Iterator[Target]:
    made = Target(behave)
    with serving({"POST /v1/chat/completions": made.handle, "GET /v1/models": made.models}) as address:
        made.base_url = f"{address}/v1"
        yield made


@contextmanager
def proxy(
    *overrides: str,
    lookup: Any = None,
    rewriter: Callable | None = None,
    behave: Callable | None = None,
    model: str = "rewriter",
) -> Iterator[Any]:
    """A proxy on a real socket, with a rewriter and a target of its own.

    Yields an object with `url` (up to `/v1`), `rewriter` and `target`.
    """

    async def rewrites(request: web.Request, body: dict) -> web.StreamResponse:
        return await answered(request, body, transcript())

    with ExitStack() as stack:
        seats = stack.enter_context(target(rewriter or rewrites)), stack.enter_context(target(behave))
        cfg = load_config(GuardConfig, None, ["rewriter.attempts=1", "rewriter.deadline_s=5", *overrides])
        cfg.rewriter.base_url, cfg.rewriter.model = cfg.rewriter.base_url or seats[0].base_url, model
        cfg.upstream.base_url = cfg.upstream.base_url or seats[1].base_url
        made = stack.enter_context(_served(cfg, lookup))
        made.rewriter, made.target = seats
        yield made


class _Proxy:
    url: str
    rewriter: Target
    target: Target


class _Server(uvicorn.Server):
    """Ends when it is told to; uvicorn's own looks ten times a second."""

    async def main_loop(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await self._told.wait()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def _served(cfg: GuardConfig, lookup: Any) -> Iterator[_Proxy]:
    protocol = bounded(cfg.server.body_timeout_s, int(cfg.server.max_body_mb * 2**20) * 4)
    config = uvicorn.Config(create_app(cfg, lookup=lookup), port=0, http=protocol, ws="none", log_config=None, access_log=False)
    server = _Server(config)
    server.config.timeout_graceful_shutdown = 1
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the proxy did not start"
        time.sleep(0.005)
    made = _Proxy()
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.end()
        thread.join(10)
