"""What the tests of endpoints share: a chat, a schema, one call through a client, and an endpoint that answers in one way."""

from __future__ import annotations

import asyncio
import http.server
import threading
from contextlib import contextmanager

import pytest

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.types import EndpointError

CHAT = [{"role": "system", "content": "You grade answers."}, {"role": "user", "content": "Grade this one."}]
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
KEY = "sk-test/0123456789abcdef"


def config(url: str, **settings) -> EndpointConfig:
    return EndpointConfig(url, "fake", **{"backoff_s": 0.01, "deadline_s": 5.0, "read_timeout_s": 2.0, **settings})


def chat(number: int) -> list[dict]:
    return [*CHAT, {"role": "user", "content": str(number)}]


def run(url: str, calls, **settings):
    """What `calls(endpoint)` returns, and the metrics."""

    async def main():
        async with Endpoint(config(url, **settings)) as endpoint:
            return await calls(endpoint), endpoint.metrics()

    return asyncio.run(main())


def failure(url: str, messages=CHAT, schema=None, **settings) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        run(url, lambda e: e.complete(messages, schema=schema), **settings)
    return caught.value


@contextmanager
def raw(status: int, headers: dict[str, str], body: bytes):
    """An endpoint that answers everything in one way; yields its base URL and the paths that were asked for."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
