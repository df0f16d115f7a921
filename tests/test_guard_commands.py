"""`rl-align guard serve` and `rl-align guard ask`, in front of scripted endpoints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest
from aiohttp import web
from conftest import ROOT
from guarding import NOBODY, answered, picture, serving, target, transcript

from rl_align.cli import main


@pytest.fixture(scope="module")
def seats():
    """Base URLs of a rewriter and a target."""

    async def rewrite(request, body):
        return await answered(request, body, transcript("Which fumes?\x1b[2J", joint="fumes", intent="To clean."))

    with target(rewrite) as rewriter, target() as answerer:
        yield ["--rewriter", rewriter.base_url, "--upstream", answerer.base_url]


def test_ask_prints_the_analysis_and_the_answer(seats, tmp_path, capsys):
    (tmp_path / "x.png").write_bytes(picture())
    assert main(["guard", "ask", *seats, "--image", str(tmp_path / "x.png"), "Mix these?", "rewriting.max_tokens=99"]) == 0
    out = capsys.readouterr().out
    for line in ("threat (joint): fumes", "policy: none", "intent: To clean.", "rewrite: Which fumes?", "A red square."):
        assert line in out.splitlines() or line in out
    assert "\x1b" not in out and "guard 0." in out.splitlines()[-1] or "ms" in out.splitlines()[-1]


def test_bad_input_is_told_in_one_line(seats, tmp_path, capsys):
    (tmp_path / "x.svg").write_text("<svg/>")

    async def several(request):
        return web.json_response({"data": [{"id": "a"}, {"id": "b"}]})

    async def none(request):
        return web.json_response([])

    with serving({"GET /v1/models": several, "GET /none/models": none}) as at:
        cases = [
            (["serve", *seats[2:]], 2, "--rewriter: is missing"),
            (["serve", *seats[:2]], 2, "--upstream: is missing"),
            (["serve", *seats, "--port", "99999"], 2, "0 to 65535"),
            (["serve", *seats, "server.host=203.0.113.7"], 2, "cannot listen on 203.0.113.7"),
            (["serve", *seats, "images.cuont=3"], 2, "nearest valid key"),
            (["serve", *seats, "images.folder=/nonexistent"], 2, "no folder"),
            (["serve", *seats, "upstream.api_key_env=NO_SUCH_KEY"], 2, "NO_SUCH_KEY is not set"),
            (["serve", "--rewriter", NOBODY, *seats[2:]], 2, "name its model with --rewriter-model"),
            (["serve", "--rewriter", f"{at}/v1", *seats[2:]], 2, "serves 2 models: a, b"),
            (["serve", "--rewriter", f"{at}/none", *seats[2:]], 2, "does not list its models"),
            (["serve", "--rewriter", "localhost:1", *seats[2:]], 2, "not the address of an endpoint"),
            (["ask", *seats, "--image", "/nonexistent.png", "x"], 2, "cannot be read"),
            (["ask", *seats, "--image", str(tmp_path / "x.svg"), "x"], 2, "SVG"),
            (["ask", *seats, ""], 2, "neither text nor an image"),
            (
                ["ask", "--rewriter", NOBODY, "--rewriter-model", "m", *seats[2:], "x", "rewriter.attempts=1"],
                1,
                "cannot be reached",
            ),
            (["ask", "--on-failure", "sometimes", *seats, "x"], 2, "invalid choice"),
        ]
        for arguments, exit_code, part in cases:
            assert main(["guard", *arguments]) == exit_code, arguments
            err = capsys.readouterr().err
            assert part in err and err.count("\n") == 1, (arguments, err)


def test_serve_serves_until_it_is_told_to_end(seats):
    command = [sys.executable, "-m", "rl_align.cli", "guard", "serve", *seats, "--port", "0", "--on-failure", "open_on_outage"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().removeprefix("guard: ").strip()
        assert "rewriter target at http://127.0.0.1" in process.stdout.readline()  # the name under which it is served
        body = json.dumps({"model": "target", "messages": [{"role": "user", "content": "Mix these?"}]}).encode()
        request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert json.load(reply)["choices"][0]["message"]["content"] == "A red square."
            assert reply.headers["x-guard"] == "rewritten" and "server" not in reply.headers
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 128 + signal.SIGTERM and " ok, prompt rewritten" in err and "Traceback" not in err
    finally:
        process.kill()
        process.wait()
