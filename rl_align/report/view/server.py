"""The browser as a small web server on this machine: read only, for one run folder, and for nobody who came by another name."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from rl_align.data.untrusted import shown
from rl_align.errors import UserError
from rl_align.report.view.page import asset, shell
from rl_align.report.view.reading import RunFolder

#: Taken when nobody asked for another one and it is free.
PORT = 8760

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PORT = re.compile(r":\d{1,5}\Z")


def create_app(run: RunFolder, host: str = "127.0.0.1") -> web.Application:
    """The server's application.

    Args:
        run: What is shown.
        host: The address that it listens on. A page elsewhere whose name is made to point here (DNS rebinding) sends its own name:
            on the loopback interface only that interface's names are answered, on any other only addresses and `host`.
    """

    @web.middleware
    async def named_right(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        if not admitted(request.headers.get("Host", ""), host):
            return web.json_response({"error": "this server answers to its own address only"}, status=421)
        return await handler(request)

    async def harden(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = "rl-align"

    async def told(call: Callable[[], Any]) -> web.Response:
        """JSON without a character that is not ASCII: half surrogates and line separators are harmless so."""
        try:
            body = await asyncio.to_thread(lambda: json.dumps(call(), allow_nan=False, separators=(",", ":")))
        except KeyError:
            return web.json_response({"error": "there is no such thing here"}, status=404)
        return web.Response(text=body, content_type="application/json")

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=shell(run.name), content_type="text/html")

    async def file(request: web.Request) -> web.Response:
        name = request.path.removeprefix("/")
        return web.Response(text=asset(name), content_type="text/css" if name == "view.css" else "text/javascript")

    async def overview(request: web.Request) -> web.Response:
        return await told(run.overview)

    async def one_list(request: web.Request) -> web.Response:
        return await told(lambda: run.index(request.query["id"]))

    async def row(request: web.Request) -> web.Response:
        return await told(lambda: run.unit(request.query["id"], request.query["key"]))

    async def search(request: web.Request) -> web.Response:
        return await told(lambda: run.search(request.query["id"], request.query["text"]))

    async def picture(request: web.Request) -> web.Response:
        png = await asyncio.to_thread(run.png, request.match_info["name"])
        if png is None:
            return web.json_response({"error": "there is no such picture"}, status=404)
        return web.Response(body=png, content_type="image/png", headers={"Cache-Control": "private, max-age=31536000, immutable"})

    app = web.Application(middlewares=[named_right])
    app.on_response_prepare.append(harden)
    app.router.add_get("/", page)
    for name in ("view.css", "view.js"):
        app.router.add_get(f"/{name}", file)
    app.router.add_get("/api/overview", overview)
    app.router.add_get("/api/list", one_list)
    app.router.add_get("/api/row", row)
    app.router.add_get("/api/search", search)
    app.router.add_get("/picture/{name:[0-9a-f]{32}}.png", picture)
    return app


def admitted(name: str, host: str) -> bool:
    """Whether a request's Host header is a name of the server that listens on `host`."""
    name = _PORT.sub("", name.strip().lower())
    if name in {host.lower(), f"[{host.lower()}]"}:
        return True
    if _loopback(host):
        return name in {"localhost", "127.0.0.1", "[::1]"}
    return name == "localhost" or _address(name.removeprefix("[").removesuffix("]")) is not None


def serve(run: RunFolder, host: str, port: int | None, told: Callable[[str], None]) -> None:
    """Serves until the process is told to end.

    Args:
        run: What is shown.
        host: Address to listen on.
        port: Port; None takes `PORT`, or any that is free where that is taken.
        told: Gets the address, once it can be used.

    Raises:
        UserError: The address or the port cannot be had.
    """
    listening = listen(host, port)
    bound, number = listening.getsockname()[:2]
    at = f"[{bound}]" if ":" in bound else bound
    # The list that opens first is read while the browser comes up.
    threading.Thread(target=run.read_first, daemon=True).start()
    web.run_app(
        create_app(run, host), sock=listening, print=lambda *_: told(f"http://{at}:{number}/"), access_log=None, shutdown_timeout=1
    )


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens. Raises UserError as `serve` does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    problem: Exception | None = None
    for number in (PORT, 0) if port is None else (port,):
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen(128)
            return listening
        except (OSError, OverflowError) as error:
            listening.close()
            problem = error
    what = f"cannot listen on {shown(host, 100)} port {port or 'any'} ({getattr(problem, 'strerror', None) or problem})"
    raise UserError(what, fix="choose another --port, or none")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host.lower() == "localhost"
