"""The proxy as a web application: OpenAI's chat API in front of a target, with the guard in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.secret import Secret

from .chat import Chat
from .config import GuardConfig, ImageUrls
from .door import Door
from .errors import Code, GuardError
from .fetch import Lookup
from .guard import Guard
from .metrics import Metrics
from .ready import Readiness
from .upstream import Upstream

_ROUTES = "expected POST /v1/chat/completions, GET /v1/models, /health, /ready or /metrics"


def create_app(cfg: GuardConfig, *, lookup: Lookup | None = None) -> FastAPI:
    """The proxy.

    Args:
        cfg: Settings.
        lookup: Resolves host names of image URLs, blocking; the system's resolver by default.

    Raises:
        UserError: A setting that cannot work, or a key that is not in the environment.
    """
    cfg.check()
    upstream_key = Secret.from_environment(cfg.upstream.api_key_env, "guard.upstream.api_key_env")
    clients_key = Secret.from_environment(cfg.server.api_key_env, "guard.server.api_key_env")
    rewriter_key = Secret.from_environment(cfg.rewriter.api_key_env, "guard.rewriter.api_key_env")
    rewriter = Endpoint(cfg.rewriter, "guard.rewriter", image_urls=cfg.images.urls is ImageUrls.forward)
    guard = Guard(rewriter, cfg=cfg, lookup=lookup)
    metrics = Metrics()
    door = Door(cfg.server, clients_key)
    chat = Chat(cfg, guard, door, (upstream_key, rewriter_key, clients_key), metrics)
    seats = {"rewriter": (cfg.rewriter.base_url, rewriter_key), "target": (cfg.upstream.base_url, upstream_key)}
    readiness = Readiness(seats, frozenset(["target"] if cfg.upstream.forward_authorization else []))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chat.upstream = Upstream(cfg.upstream, upstream_key)
        try:
            yield
        finally:
            await chat.upstream.close()
            await guard.aclose()

    # Without the pages that describe the API: they load scripts from elsewhere.
    app = FastAPI(
        title="rl_align guard", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    # Not a FastAPI endpoint: the request is read, answered and cleaned up after in one place, whatever becomes of the client.
    app.router.routes.append(Route("/v1/chat/completions", chat, methods=["POST"]))

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        authorization = request.headers.get("authorization")
        door.admit(request.headers.get("host", ""), authorization)
        assert chat.upstream is not None
        status, body = await chat.upstream.models(authorization)
        return Response(body, status, media_type="application/json")

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready(request: Request) -> Response:
        door.name(request.headers.get("host", ""))
        answers = await readiness.ask()
        well = all(answers.values())
        return JSONResponse({"status": "ready" if well else "not ready", **answers}, 200 if well else 503)

    @app.get("/metrics")
    async def counts(request: Request) -> Response:
        door.name(request.headers.get("host", ""))
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.exception_handler(GuardError)
    async def tell(request: Request, error: GuardError) -> Response:
        return _error(error)

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return _error(GuardError(Code.method_not_allowed, f"this method is not taken here; {_ROUTES}"))
        # Not the path: it is the client's text.
        return _error(GuardError(Code.not_found, f"there is nothing here; {_ROUTES}"))

    return app


def _error(error: GuardError) -> Response:
    return JSONResponse(error.body(), error.kind.status)
