"""Clients of the guard's proxy: OpenAI's own, one of plain HTTP, and bare connections."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from urllib.request import urlopen

import aiohttp
import openai
from guarding import data_url, picture, shown

PNG = data_url(picture())
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def client(url: str, **settings) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, **{"api_key": "sk-client", "max_retries": 0, "timeout": 10, **settings})


def post(
    url: str, body: bytes | dict, headers: dict[str, str] | None = None, path: str = "/chat/completions"
) -> tuple[int, dict, dict]:
    """Status, header and JSON of one reply."""

    async def run():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            async with session.post(
                url + path, data=data, headers={"Content-Type": "application/json", **(headers or {})}
            ) as reply:
                return reply.status, {k.lower(): v for k, v in reply.headers.items()}, await reply.json()

    return asyncio.run(run())


def ask(url: str, messages=None, headers: dict[str, str] | None = None, **fields) -> tuple[int, dict]:
    status, _, body = post(url, {"model": "target", "messages": messages or shown(PNG), **fields}, headers)
    return status, body


def code(answer: tuple[int, dict]) -> tuple[int, str]:
    """Status and code of an error, which must have OpenAI's form."""
    status, body = answer
    assert body.keys() == {"error"} and body["error"].keys() == {"message", "type", "param", "code"}, body
    assert isinstance(body["error"]["message"], str) and isinstance(body["error"]["type"], str)
    return status, body["error"]["code"]


def metric(url: str, name: str) -> float:
    with urlopen(url.removesuffix("/v1") + "/metrics", timeout=5) as reply:
        found = re.search(rf"^{re.escape(name)} (\S+)$", reply.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def alive(made) -> None:
    """The proxy still answers, and nothing is left of what came before."""
    assert ask(made.url)[0] == 200
    assert eventually(lambda: metric(made.url, "guard_requests_under_way") == metric(made.url, "guard_bytes_held") == 0)


def eventually(moment, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not moment():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def dial(made) -> socket.socket:
    """A connection to the proxy."""
    return socket.create_connection(("127.0.0.1", int(made.url.split(":")[2].split("/")[0])), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side ends."""
    connection.settimeout(5)
    read = b""
    while chunk := connection.recv(65536):
        read += chunk
    return read
