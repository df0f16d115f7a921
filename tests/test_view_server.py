"""The server of the browser of run folders: whom it answers, what it hands out, and what it never does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from conftest import ROOT
from made_run import HOSTILE, SPLIT, add_split, mistaken, world
from yarl import URL

from rl_align.errors import UserError
from rl_align.report.view import server
from rl_align.report.view.reading import RunFolder
from rl_align.report.view.server import HEADERS, admitted, create_app, listen

ANSWERS = f"answers/{SPLIT}/greedy"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    folder = tmp_path_factory.mktemp("runs") / HOSTILE.replace("/", "").replace("\ud800", "")
    items = world(3, SPLIT)
    items[0] = replace(items[0], prompt=HOSTILE.replace("\ud800", ""), category="<b>")
    add_split(folder, SPLIT, items, {"sft": mistaken, "<i>hostile": lambda item: HOSTILE})
    return RunFolder(folder)


def ask(run: RunFolder, *paths: str, method: str = "GET", **headers: str) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each request, sent as written."""

    async def go() -> list[tuple[int, dict[str, str], bytes]]:
        out = []
        async with TestClient(TestServer(create_app(run))) as client:
            for path in paths:
                url = URL(f"http://127.0.0.1:{client.port}{path}", encoded=True)
                async with client.session.request(method, url, headers=headers, allow_redirects=False) as reply:
                    out.append((reply.status, dict(reply.headers), await reply.read()))
        return out

    return asyncio.run(go())


def test_the_page_asks_for_everything_and_gets_it(run):
    listed = f"/api/list?id={ANSWERS}"
    paths = ("/", "/view.css", "/view.js", "/api/overview", listed, f"/api/row?id={ANSWERS}&key={SPLIT}-00000",
             f"/api/search?id={ANSWERS}&text=HACKED")  # fmt: skip
    page, css, js, overview, index, row, found = ask(run, *paths)
    assert [r[0] for r in (page, css, js, overview, index, row, found)] == [200] * 7
    kinds = [r[1]["Content-Type"].partition(";")[0] for r in (page, css, js, overview)]
    assert kinds == ["text/html", "text/css", "text/javascript", "application/json"]
    assert len(json.loads(index[2])["units"]["key"]) == 3 and len(json.loads(found[2])) == 3
    [name] = json.loads(row[2])["item"]["pictures"]
    [(status, headers, body)] = ask(run, f"/picture/{name}.png")
    assert status == 200 and headers["Content-Type"] == "image/png" and body.startswith(b"\x89PNG")
    assert "immutable" in headers["Cache-Control"]


def test_hostile_texts_leave_as_ascii_json_that_no_browser_reads_as_a_page(run):
    """Lock: also names of folders, models and categories are texts."""
    replies = ask(run, "/api/overview", f"/api/list?id={ANSWERS}", f"/api/row?id={ANSWERS}&key={SPLIT}-00000", "/")
    for _, headers, body in replies[:3]:
        assert headers["Content-Type"].startswith("application/json") and headers["X-Content-Type-Options"] == "nosniff"
        assert body.isascii() and not {0x1B, 0} & set(body)
    row = json.loads(replies[2][2])
    told = "".join(r[0] for r in row["records"][1]["hops"][0]["raw"])
    assert "<script>window.hacked=1</script>" in told and "U+202E" in told and "\u202e" not in replies[2][2].decode()
    page = replies[3][2].decode()
    assert "<script>window" not in page and "&lt;script&gt;" in page and page.count("<script") == 1 and "\u202e" not in page


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.7", "[::2]"])
def test_another_name_is_not_answered(run, name):
    """Lock: a page elsewhere whose name is made to point at this machine (DNS rebinding) reads nothing."""
    for status, _, body in ask(run, "/", "/api/overview", f"/api/list?id={ANSWERS}", "/view.js", "/nothing", Host=name):
        assert status == 421 and b"sft" not in body


def test_names_of_the_interface_are_answered():
    for name in ("127.0.0.1", "127.0.0.1:8760", "localhost:1", "LOCALHOST", "[::1]:8760"):
        assert admitted(name, "127.0.0.1") and admitted(name, "localhost") and admitted(name, "::1"), name
    assert admitted("127.0.0.2:80", "127.0.0.2") and not admitted("127.0.0.2", "127.0.0.1")
    assert admitted("10.0.0.7:80", "0.0.0.0") and admitted("[fe80::1]:80", "::") and admitted("node7:80", "node7")
    assert not admitted("evil.example", "0.0.0.0") and not admitted("evil.example:80", "10.0.0.7")


def test_every_answer_is_hardened_and_reads_only(run):
    replies = ask(run, "/", "/view.js", "/api/overview", "/nothing", "/api/list?id=x", f"/picture/{'0' * 32}.png")
    replies += ask(run, "/", "/api/overview", method="POST") + ask(run, "/", method="DELETE") + ask(run, "/", Host="evil.example")
    assert [status for status, *_ in replies] == [200, 200, 200, 404, 404, 404, 405, 405, 405, 421]
    for _, headers, _ in replies:
        for name, value in HEADERS.items():
            assert headers[name] == value, name
        assert headers["Server"] == "rl-align" and "Access-Control-Allow-Origin" not in headers
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "require-trusted-types-for 'script'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/view.css/../server.py",
        "/server.py",
        "/view.html.j2",
        "/picture/../../../etc/passwd",
        "/picture/..%2f..%2fetc%2fpasswd.png",
        "/picture/%00.png",
        "/api/list",
        "/api/list?id=answers/../../../etc/passwd",
        f"/api/list?id=rollouts/{'x' * 500}",
        f"/api/row?id={ANSWERS}",
        f"/api/row?id={ANSWERS}&key=../../../etc/passwd",
        "/api/search?id=rollouts/../eval&text=a",
        f"/eval/sft/{SPLIT}/greedy.jsonl",
        "/data/train.parquet",
        "/config.yaml",
    ],
)
def test_no_path_leads_out_of_what_is_shown(run, path):
    [(status, _, body)] = ask(run, path)
    assert status == 404 and b"root:" not in body and b"import" not in body


def test_a_port_that_is_taken_is_another_one_unless_it_was_asked_for(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        with listen("127.0.0.1", None) as listening:
            assert listening.getsockname()[0] == "127.0.0.1" and listening.getsockname()[1] not in (0, port)
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {port}.*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(UserError, match="cannot listen"):
        listen("256.1.1.1", None)


def test_the_command_serves_says_where_and_opens_it(run, tmp_path):
    opened, opener = tmp_path / "opened", tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    opener.chmod(0o755)
    command = [sys.executable, "-m", "rl_align.cli", "view", str(run.folder), "--port", "0", "--open"]
    environment = {**os.environ, "BROWSER": f"{opener} %s"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        address = line.split(": ")[-1].split(" ")[0]
        assert address.startswith("http://127.0.0.1:") and "\u202e" not in line and "\x1b" not in line
        with urllib.request.urlopen(f"{address}api/overview", timeout=20) as reply:
            assert json.load(reply)["sections"][0]["id"] == ANSWERS
        deadline = time.monotonic() + 20
        while not opened.exists() or not opened.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert opened.read_text() == address
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def test_the_package_brings_what_the_page_needs():
    place = Path(server.__file__).parent
    assert {"view.css", "view.js", "view.html.j2"} <= {path.name for path in place.iterdir()}
    patterns = (place.parents[2] / "setup.py").read_text()
    assert all(f'"**/*.{kind}"' in patterns for kind in ("css", "js", "j2"))
