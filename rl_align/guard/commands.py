"""`rl-align guard serve` and `rl-align guard ask`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from rl_align.config import load_config
from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.types import Sampling
from rl_align.errors import EngineFailed, UserError

from .config import GuardConfig, ImageUrls
from .errors import GuardError
from .guard import Guard, Guarded
from .served import only_model

_SHUTDOWN_S = 10
_BACKLOG = 2048


def load(
    config: str | None, overrides: Sequence[str], rewriter: str | None, rewriter_model: str | None, upstream: str | None
) -> GuardConfig:
    """The settings of a command: defaults, file, `key=value`, then addresses. The rewriter's model is asked for if nobody named it.

    Raises:
        UserError: A setting that cannot work.
    """
    cfg = load_config(GuardConfig, config, overrides)
    cfg.rewriter.base_url = rewriter or cfg.rewriter.base_url
    cfg.rewriter.model = rewriter_model or cfg.rewriter.model
    cfg.upstream.base_url = upstream or cfg.upstream.base_url
    for name, url in (("--rewriter", cfg.rewriter.base_url), ("--upstream", cfg.upstream.base_url)):
        if not url:
            raise UserError("is missing", where=name, expected="the address of an endpoint, up to and including /v1")
    if not cfg.rewriter.model:
        cfg.rewriter.model = only_model(cfg.rewriter.base_url, cfg.rewriter.api_key_env, "--rewriter")
    cfg.check()
    return cfg


def serve(cfg: GuardConfig) -> None:
    """Serves until the process is told to end. Raises UserError when it cannot begin."""
    import uvicorn

    from .body import READ_TO_REFUSE
    from .protocol import bounded
    from .server import create_app

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("rl_align.guard").setLevel(logging.INFO)
    app = create_app(cfg)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=bounded(cfg.server.body_timeout_s, int(cfg.server.max_body_mb * 2**20) * READ_TO_REFUSE),
            ws="none",
            log_config=None,
            # A line of our own tells more, and nothing that a client wrote.
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )
    listening = _listen(cfg.server.host, cfg.server.port)
    host, port = listening.getsockname()[:2]
    at = f"[{host}]" if ":" in host else host
    print(f"guard: http://{at}:{port}/v1", flush=True)
    print(f"rewriter {cfg.rewriter.model} at {cfg.rewriter.base_url}, target at {cfg.upstream.base_url}", flush=True)
    server.run(sockets=[listening])


def ask(cfg: GuardConfig, model: str | None, prompt: str, images: Sequence[str], max_tokens: int) -> None:
    """Prints the analysis of one request and the answer to it.

    Args:
        cfg: Settings.
        model: The target's model; asked for if None.
        prompt: What the person asks; may be empty where there is an image.
        images: Files.
        max_tokens: Longest answer.

    Raises:
        UserError: A file that cannot be read, or a request that is not taken.
        EngineFailed: The rewriter or the target failed.
    """
    content: list[dict] = [{"type": "image_url", "image_url": {"url": _read(path)}} for path in images]
    if prompt:
        content.append({"type": "text", "text": prompt})
    model = model or only_model(cfg.upstream.base_url, cfg.upstream.api_key_env, "--upstream")
    up = cfg.upstream
    target = EndpointConfig(up.base_url, model, up.api_key_env, attempts=2, read_timeout_s=up.read_timeout_s, cache_memory_mb=0)
    rewriter = Endpoint(cfg.rewriter, "guard.rewriter", image_urls=cfg.images.urls is ImageUrls.forward)
    guard = Guard(rewriter, Endpoint(target, "guard.upstream"), cfg)
    try:
        result = guard.respond_now([{"role": "user", "content": content}], Sampling(max_tokens=max_tokens))
    except GuardError as error:
        kind = UserError if error.kind.status < 500 else EngineFailed
        raise kind(f"{error.message}{f' ({error.detail})' if error.detail else ''}", where=str(error.code)) from None
    print("\n".join(_lines(result)))


def _lines(result: Guarded) -> list[str]:
    lines = []
    a = result.analysis
    if a is not None:
        lines += [f"threat ({name}): {text}" for name, text in (a.threat or {}).items()]
        lines += [f"policy: {a.policy or 'none'}", f"intent: {a.intent or '-'}", f"rewrite: {a.rewrite or '-'}"]
    if result.bypassed:
        lines.append(f"the rewriter failed ({result.failure}); the prompt was handed on as it came")
    t = result.timings
    lines += ["", result.answer, "", f"rewriter {t.rewriter_s:.2f} s, target {t.target_s:.2f} s, guard {t.overhead_s * 1e3:.1f} ms"]
    return [_printable(line) for line in lines]


def _printable(text: str) -> str:
    """Without the control characters with which a model could take over a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=path, expected="an image file") from None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # From here on connections wait, so the address that is printed next can be used at once.
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        what = f"cannot listen on {host} port {port} ({getattr(error, 'strerror', None) or error})"
        raise UserError(what, where="guard.server", fix="choose another host or port") from None
    return listening
