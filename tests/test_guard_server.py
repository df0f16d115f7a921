"""The proxy on a real socket: OpenAI's official client in front, scripted seats behind, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import aiohttp
import openai
import pytest
from aiohttp import web
from guardclient import HEAD, PNG, alive, ask, client, code, dial, eventually, metric, post, read_all
from guarding import NOBODY, UPSTREAM_KEY, answered, data_url, picture, proxy, serving, shown, transcript

from rl_align.errors import UserError
from rl_align.guard.config import GuardConfig
from rl_align.guard.server import create_app

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


# What works


def test_the_official_client_streaming_and_not():
    with proxy() as made:
        api = client(made.url)
        whole = api.chat.completions.create(model="target", messages=shown(PNG))
        assert whole.choices[0].message.content == "A red square." and whole.model == "target"
        words = [c.choices[0].delta.content for c in api.chat.completions.create(model="target", messages=shown(PNG), stream=True)]
        assert "".join(filter(None, words)) == "A red square."
        assert [m.id for m in api.models.list()] == ["target"]
        for _, body in made.target.seen:
            assert body["messages"] == shown(PNG, text="What is this, safely?")
        with urlopen(made.url.removesuffix("/v1") + "/health", timeout=5) as reply:
            assert json.load(reply) == {"status": "ok"}
        assert metric(made.url, 'guard_requests_total{outcome="ok"}') == 2
        assert metric(made.url, "guard_overhead_seconds_count") == 2


def test_everything_else_passes_untouched():
    """Lock: tools, numbers of any size, other turns and fields that an operator lets through reach the target as they were sent."""
    fields = {
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        "seed": 2**70,
        "temperature": 0.1,
        "top_k": 5,
        "stream_options": {"include_usage": True},
        "chat_template_kwargs": {"a": [1, 1e-9, "é\u2028\U0001f600"]},
        "unknown": None,
    }
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": TOOLS[0]["function"]}]}
    earlier = [{"role": "system", "content": "Be brief."}, *shown(PNG, text="Before."), {"role": "assistant", "content": "Yes."}]
    messages = [*earlier, {"role": "user", "content": "Now."}, call, {"role": "tool", "tool_call_id": "1", "content": "7"}]
    with proxy("rewriting.turns=last", "server.pass_fields=[top_k,chat_template_kwargs]") as made:
        assert ask(made.url, messages, **fields)[0] == 200
        sent = made.target.seen[0][1]
        assert sent["messages"] == [*earlier, {"role": "user", "content": "What is this, safely?"}, *messages[4:]]
        assert {**sent, "messages": None} == {"model": "target", "messages": None, **fields}
        asked = made.rewriter.seen[0][1]
        assert asked["model"] == "rewriter" and "Before." in asked["messages"][1]["content"][1]["text"]


def test_the_analysis_comes_on_request_only():
    with proxy() as made:
        assert "guard" not in ask(made.url)[1]
        status, headers, body = post(made.url, {"model": "t", "messages": shown(PNG)}, {"X-Guard-Analysis": "1"})
        assert headers["x-guard"] == "rewritten" and headers["x-request-id"]
        told = body["guard"]
        assert told["status"] == "rewritten" and told["intent"] == "To know." and told["rewrite"] == "What is this, safely?"
        assert told["threat"] == {"text": "none", "image": "none", "joint": "none"} and told["policy"] is None
        asked = {"model": "t", "messages": shown(PNG), "extra_headers": {"X-Guard-Analysis": "1"}}
        first, *rest = client(made.url).chat.completions.create(**asked, stream=True)
        assert first.choices == [] and first.guard["intent"] == "To know." and rest[-1].choices[0].finish_reason == "stop"
    with proxy("server.analysis=false") as made:
        assert "guard" not in post(made.url, {"model": "t", "messages": shown(PNG)}, {"X-Guard-Analysis": "1"})[2]


def test_a_stream_is_passed_on_as_it_comes():
    """Lock: the first word arrives while the target still speaks."""
    go_on = threading.Event()

    async def slowly(request, body):
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "t",
            "choices": [{"index": 0, "delta": {"content": "a"}}],
        }
        event = b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"
        await reply.write(b": a comment\n\n" + event + event[:30])
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        await reply.write(event[30:-1])
        await asyncio.sleep(0.02)
        await reply.write(event[-1:] + b"data: [DONE]\n\n")
        return reply

    with proxy(behave=slowly) as made:
        stream = iter(client(made.url).chat.completions.create(model="t", messages=shown(PNG), stream=True))
        assert next(stream).choices[0].delta.content == "a"
        go_on.set()
        assert [c.choices[0].delta.content for c in stream] == ["a"]


def test_an_image_by_url_is_fetched_by_the_guard():
    def lookup(host, port):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def png(request):
        return web.Response(body=picture())

    with serving({"GET /a.png": png}) as at:
        port = at.rpartition(":")[2]
        with proxy("images.networks=[127.0.0.1/32]", f"images.ports=[{port}]", lookup=lookup) as made:
            assert ask(made.url, shown(f"http://pictures.example:{port}/a.png"))[0] == 200
            assert made.target.seen[0][1]["messages"] == shown(PNG, text="What is this, safely?")
            assert PNG in json.dumps(made.rewriter.seen[0][1])
            alive(made)


def test_or_forwarded_to_both():
    with proxy("images.urls=forward") as made:
        assert ask(made.url, shown("https://a.example/x.png"))[0] == 200
        for seat in (made.rewriter, made.target):
            assert seat.seen[0][1]["messages"][-1]["content"][0]["image_url"]["url"] == "https://a.example/x.png"


# What is refused


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid_json")),
        (b"{", (400, "invalid_json")),
        (b"[]", (400, "invalid_json")),
        (b"\xff\xfe", (400, "invalid_json")),
        (b'{"model": NaN}', (400, "invalid_json")),
        (b"[" * 100_000, (400, "invalid_json")),
        (b"[" * 300_000, (400, "invalid_json")),
        (b"9" * 10_000, (400, "invalid_json")),
        (b'{"messages": []}', (400, "invalid_request")),
        (b'{"model": 7}', (400, "invalid_request")),
        (b'{"model": "t", "stream": "yes"}', (400, "invalid_request")),
        (b'{"model": "t"}', (400, "invalid_request")),
        (b'{"model": "t", "messages": {}}', (400, "invalid_request")),
        (b'{"model": "t", "messages": [{"role": "user", "content": "x"}], "n": 1e999}', (400, "invalid_json")),
        ({"model": "t", "messages": shown("http://127.0.0.1:80/x.png")}, (400, "invalid_image_url")),
        ({"model": "t", "messages": shown("http://169.254.169.254/latest/meta-data")}, (400, "invalid_image_url")),
        ({"model": "t", "messages": shown("http://localhost/x.png")}, (400, "invalid_image_url")),
        ({"model": "t", "messages": shown("file:///etc/passwd")}, (400, "invalid_image_url")),
        ({"model": "t", "messages": shown(data_url(b"<svg/>", "image/svg+xml"))}, (400, "invalid_image_format")),
        ({"model": "t", "messages": shown(data_url(b"<html></html>", "text/html"))}, (400, "invalid_image_format")),
        ({"model": "t", "messages": shown(data_url(b"<html></html>"))}, (400, "invalid_image_format")),
        ({"model": "t", "messages": shown(*[PNG] * 17)}, (400, "too_many_images")),
    ],
)
def test_bad_requests_are_told_in_openai_s_form(body, expected, shared):
    status, headers, told = post(shared.url, body)
    assert code((status, told)) == expected and headers["x-should-retry"] == "false"
    assert not shared.rewriter.seen and not shared.target.seen


@pytest.fixture(scope="module")
def shared():
    """A proxy for requests that go nowhere."""
    with proxy() as made:
        yield made


def test_the_official_client_raises_its_own_errors(shared):
    with pytest.raises(openai.BadRequestError) as caught:
        client(shared.url).chat.completions.create(model="t", messages=shown("http://[::1]/x.png"))
    assert caught.value.code == "invalid_image_url" and caught.value.param == "messages[0].content[0].image_url.url"
    assert "not public" in caught.value.message


def test_only_json_is_taken(shared):
    """Lock: a web page can send text or forms to a port of this machine without being asked, but not JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = post(shared.url, {"model": "t", "messages": shown(PNG)}, {"Content-Type": kind})
        assert code(answer[::2]) == (415, "unsupported_media_type")
    assert not shared.rewriter.seen


def test_other_paths_and_methods(shared):
    for path, expected in (("/completions", (404, "not_found")), ("/models", (405, "method_not_allowed"))):
        assert code(post(shared.url, b"{}", path=path)[::2]) == expected
    with dial(shared) as line:
        line.sendall(b"nonsense\r\n\r\n")
        head, _, body = read_all(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and code((400, json.loads(body))) == (400, "invalid_request")


def test_an_image_of_50_mb_is_refused_and_the_client_reads_why():
    image = data_url(bytes(50_000_000))
    with proxy() as made:
        with pytest.raises(openai.APIStatusError) as caught:
            client(made.url, timeout=60).chat.completions.create(model="t", messages=shown(image))
        assert caught.value.status_code == 413 and caught.value.body["code"] == "request_too_large"
        assert code(ask(made.url, shown(data_url(bytes(21 * 2**20))))) == (400, "image_too_large")
        alive(made)


async def _chunks(size: int, count: int):
    for _ in range(count):
        yield bytes(size)


def test_a_body_of_unknown_length_is_bounded_too():
    async def run(url, count):
        async with aiohttp.ClientSession() as session:
            about = {"Content-Type": "application/json"}
            async with session.post(f"{url}/chat/completions", data=_chunks(2**16, count), headers=about) as reply:
                return reply.status, await reply.json()

    with proxy("server.max_body_mb=1") as made:
        assert code(asyncio.run(run(made.url, 32))) == (413, "request_too_large")
        with pytest.raises(aiohttp.ClientError):  # without end: the line is cut
            asyncio.run(run(made.url, 10**9))
        alive(made)


def test_requests_that_never_arrive_do_not_stay():
    with proxy("server.body_timeout_s=0.3") as made:
        with dial(made) as silent, dial(made) as half, dial(made) as body, dial(made) as endless:
            half.sendall(HEAD)
            body.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
            began = time.monotonic()
            reply = b""
            body.settimeout(5)
            while b"}}" not in reply:
                reply += body.recv(65536)
            assert code((408, json.loads(reply.partition(b"\r\n\r\n")[2]))) == (408, "request_timeout")
            with pytest.raises(OSError):  # what trickles in after the answer is not waited for either
                for _ in range(100):
                    body.sendall(b" ")
                    time.sleep(0.02)
            assert _closed(silent) and _closed(half) and time.monotonic() - began < 4
            with pytest.raises(OSError):
                for _ in range(1000):
                    endless.sendall(b"X-A: " + b"a" * 10_000 + b"\r\n")
                    time.sleep(0.001)
        alive(made)


def _closed(line: socket.socket) -> bool:
    try:
        return line.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_another_name_that_leads_here_is_refused():
    """Lock: a web page cannot reach a guard of this machine by a name that it controls."""
    with proxy() as made:
        port = made.url.split(":")[2].split("/")[0]
        for name in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "", "[::1].example"):
            assert code(ask(made.url, headers={"Host": name})) == (421, "misdirected_request")
        for name in ("localhost", f"LOCALHOST:{port}", "127.0.0.1", "[::1]:80"):
            assert ask(made.url, headers={"Host": name})[0] == 200
    with proxy("server.names=[guard.example]") as made:
        assert ask(made.url, headers={"Host": "guard.example:8080"})[0] == 200
        assert code(ask(made.url)) == (421, "misdirected_request")


def test_what_is_announced_as_endless_is_refused_at_once():
    with proxy() as made, dial(made) as line:
        line.sendall(HEAD + b"Content-Length: 9999999999\r\n\r\n")
        assert b" 413 " in line.recv(65536).partition(b"\r\n")[0]
        alive(made)


def test_a_header_without_end_is_refused():
    with proxy() as made, dial(made) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nX-A: " + b"a" * 100_000)
        assert b" 431 " in read_all(line).partition(b"\r\n")[0]
        alive(made)


# What fails behind


def test_a_killed_upstream():
    with proxy(f"upstream.base_url={NOBODY}") as made:
        for stream in (False, True):
            assert code(ask(made.url, stream=stream)) == (502, "upstream_unreachable")
        assert post(made.url, b"", path="/models")[0] == 405
        with pytest.raises(openai.InternalServerError, match="cannot be reached"):
            client(made.url).models.list()


def test_only_what_an_idle_connection_swallowed_is_sent_again():
    """Lock: a target that dies on a new connection may have begun to answer; it is not asked twice."""

    async def drop(request, body):
        if len(made.target.seen) in broken:
            request.transport.abort()
            return web.Response()
        return await answered(request, body)

    broken = {1}
    with proxy(behave=drop) as made:
        assert code(ask(made.url)) == (502, "upstream_failed") and len(made.target.seen) == 1
    broken = {2, 4, 5}
    with proxy(behave=drop) as made:
        assert ask(made.url)[0] == 200 and len(made.target.seen) == 1
        assert ask(made.url)[0] == 200 and len(made.target.seen) == 3
        assert code(ask(made.url)) == (502, "upstream_failed") and len(made.target.seen) == 5


def test_a_slow_upstream():
    async def sleep(request, body):
        await asyncio.sleep(30)

    with proxy("upstream.read_timeout_s=0.2", behave=sleep) as made:
        began = time.monotonic()
        for stream in (False, True):
            assert code(ask(made.url, stream=stream)) == (504, "upstream_timeout")
        assert time.monotonic() - began < 4 and eventually(lambda: made.target.hung_up == 2)
    with proxy("server.deadline_s=0.2", behave=sleep) as made:
        assert code(ask(made.url)) == (504, "upstream_timeout")
        assert eventually(lambda: made.target.hung_up == 1)


@pytest.mark.parametrize("end", ["dropped", "half", "silent"])
def test_a_stream_that_breaks_ends_in_an_error_event(end):
    async def breaks(request, body):
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "t",
            "choices": [{"index": 0, "delta": {"content": "a"}}],
        }
        await reply.write(b"data: " + json.dumps(chunk).encode() + b'\n\ndata: {"id": ')
        if end == "silent":
            await asyncio.sleep(30)
        if end == "dropped":
            await asyncio.sleep(0.05)
            request.transport.abort()
        return reply

    with proxy("upstream.read_timeout_s=0.3", behave=breaks) as made:
        words = []
        with pytest.raises(openai.APIError) as caught:
            for chunk in client(made.url).chat.completions.create(model="t", messages=shown(PNG), stream=True):
                words.append(chunk.choices[0].delta.content)
        assert words == ["a"] and caught.value.code == ("upstream_timeout" if end == "silent" else "upstream_failed")


def test_errors_of_the_upstream_are_passed_on_in_openai_s_form(monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", UPSTREAM_KEY)
    replies = [
        (
            400,
            json.dumps({"error": {"message": f"too long {UPSTREAM_KEY}", "type": "BadRequestError", "param": None, "code": 400}}),
            400,
            400,
        ),
        (404, json.dumps({"object": "error", "message": "no such model", "type": "NotFoundError", "code": 404}), 404, 404),
        (429, "busy", 429, None),
        (500, "<html>boom</html>", 500, None),
        (503, json.dumps({"error": "overloaded"}), 503, None),
        (401, json.dumps({"error": {"message": f"wrong key {UPSTREAM_KEY}"}}), 502, "upstream_key_refused"),
        (302, "", 502, "upstream_failed"),
        (200, "<html>a login page</html>", 502, "upstream_failed"),
    ]

    async def reply(request, body):
        status, text, *_ = replies[0]
        return web.Response(status=status, text=text, headers={"Retry-After": "7", "X-Secret": "1", "Location": "http://a"})

    with proxy("upstream.api_key_env=UPSTREAM_KEY", behave=reply) as made:
        while replies:
            status, headers, body = post(made.url, {"model": "t", "messages": shown(PNG)})
            assert code((status, body)) == (replies[0][2], replies[0][3])
            assert UPSTREAM_KEY not in json.dumps(body) and "x-secret" not in headers
            assert (headers.get("retry-after") == "7") == (status < 502 or status == 503)
            replies.pop(0)
        assert made.target.seen[0][0]["authorization"] == f"Bearer {UPSTREAM_KEY}"


def test_a_reply_without_end_is_refused():
    async def endless(request, body):
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream" if body.get("stream") else "application/json"})
        await reply.prepare(request)
        while True:
            await reply.write(b"x" * 65536)

    with proxy("upstream.max_reply_mb=1", behave=endless) as made:
        assert code(ask(made.url)) == (502, "upstream_failed")
        with pytest.raises(openai.APIError, match="longer than"):
            list(client(made.url).chat.completions.create(model="t", messages=shown(PNG), stream=True))


# The rewriter fails


@pytest.mark.parametrize("how", ["gone", "slow", "error", "unreadable", "truncated"])
def test_a_failing_rewriter_refuses_or_hands_on_by_configuration(how):
    async def fails(request, body):
        if how == "slow":
            await asyncio.sleep(30)
        if how == "error":
            return web.json_response({"error": {"message": "secret of the rewriter"}}, status=500)
        if how == "truncated":
            cut = {"choices": [{"message": {"content": transcript()}, "finish_reason": "length"}]}
            return web.json_response(cut)
        return await answered(request, body, "I cannot help with that.")

    gone = [f"rewriter.base_url={NOBODY}"] if how == "gone" else []
    codes = {"gone": (502, "rewriter_unreachable"), "slow": (504, "rewriter_timeout"), "error": (502, "rewriter_failed")}
    codes |= {"unreadable": (502, "rewriter_unreadable"), "truncated": (502, "rewriter_truncated")}
    settings = ["rewriter.deadline_s=0.2", *gone]
    with proxy(*settings, rewriter=fails) as made:
        for stream in (False, True):
            answer = ask(made.url, stream=stream)
            assert code(answer) == codes[how] and "secret" not in json.dumps(answer[1])
        assert not made.target.seen
        assert metric(made.url, f'guard_rewriter_failures_total{{code="{codes[how][1]}"}}') == 2
        assert metric(made.url, "guard_bypassed_total") == 0
    with proxy(*settings, "rewriting.on_failure=open", rewriter=fails) as made:
        status, headers, body = post(made.url, {"model": "t", "messages": shown(PNG)}, {"X-Guard-Analysis": "1"})
        assert (
            status == 200
            and headers["x-guard"] == "bypassed" == body["guard"]["status"]
            and body["guard"]["failure"] == codes[how][1]
        )
        assert made.target.seen[0][1]["messages"] == shown(PNG)
        assert metric(made.url, "guard_bypassed_total") == 1


# Keys, clients, limits


def test_keys_are_neither_passed_on_nor_logged(monkeypatch, caplog):
    """Lock: the client's key stays here, the target's goes to the target alone, and no log holds either, or a prompt."""
    monkeypatch.setenv("UPSTREAM_KEY", UPSTREAM_KEY)
    caplog.set_level(logging.DEBUG)
    with proxy("upstream.api_key_env=UPSTREAM_KEY") as made:
        api = client(made.url, api_key="sk-client-secret")
        api.chat.completions.create(model="t", messages=shown(PNG, text="private words"))
        with pytest.raises(openai.BadRequestError):
            api.chat.completions.create(model="t", messages=shown("http://localhost/private.png?sig=private", text="private words"))
        assert made.target.seen[0][0]["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert "authorization" not in made.rewriter.seen[0][0]
        told = json.dumps([headers for seat in (made.rewriter, made.target) for headers, _ in seat.seen])
    logged = "\n".join(r.getMessage() for r in caplog.records if r.name != "openai._base_client" and not r.name.startswith("http"))
    assert "sk-client" not in told + logged and UPSTREAM_KEY not in logged and "private" not in logged
    assert " ok, prompt rewritten" in logged


def test_the_log_does_not_quote_what_the_rewriter_quotes(caplog):
    async def quote(request, body):
        return web.json_response({"error": {"message": f"cannot read {body['messages']}"}}, status=400)

    with proxy(rewriter=quote) as made:
        assert code(ask(made.url, shown(PNG, text="private words"))) == (502, "rewriter_refused")
    assert "the endpoint answered 400" in caplog.text and "private" not in caplog.text


def test_the_client_s_key_is_forwarded_where_the_configuration_says_so():
    async def refuse(request, body):
        return web.json_response({"error": {"message": "whose key?"}}, status=401)

    with proxy("upstream.forward_authorization=true", behave=refuse) as made:
        with pytest.raises(openai.AuthenticationError, match="accept the client's key"):
            client(made.url, api_key="sk-client").chat.completions.create(model="t", messages=shown(PNG))
        assert made.target.seen[0][0]["authorization"] == "Bearer sk-client" and "authorization" not in made.rewriter.seen[0][0]


def test_clients_may_need_a_key(monkeypatch):
    monkeypatch.setenv("GUARD_KEY", "sk-guard")
    with proxy("server.api_key_env=GUARD_KEY") as made:
        for key in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-guard"}, {"Authorization": "Bearer é"}):
            assert code(ask(made.url, headers=key)) == (401, "invalid_api_key")
        with pytest.raises(openai.AuthenticationError):
            client(made.url).models.list()
        api = client(made.url, api_key="sk-guard")
        assert api.chat.completions.create(model="t", messages=shown(PNG)).choices and list(api.models.list())
        assert not made.target.seen[0][0].get("authorization")


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"server": {"api_key_env": "sk-123"}}, "not the key itself"),
        ({"server": {"port": 70000}}, "0 to 65535"),
        ({"server": {"max_bodies_mb": 1}}, "max_bodies_mb"),
        ({"upstream": {"base_url": "localhost"}}, "base_url"),
        ({"upstream": {"api_key_env": "MISSING_KEY"}}, "MISSING_KEY is not set"),
        ({"upstream": {"api_key_env": "A", "forward_authorization": True}}, "exclude each other"),
        ({"server": {"api_key_env": "A"}, "upstream": {"forward_authorization": True}}, "one key"),
        ({"images": {"networks": ["10.1"]}}, "networks"),
        ({"images": {"max_mb": 0}}, "max_mb"),
    ],
)
def test_settings_that_cannot_work(overrides, part):
    cfg = GuardConfig()
    cfg.rewriter.base_url = cfg.upstream.base_url = "http://127.0.0.1:1/v1"
    cfg.rewriter.model = "m"
    for section, values in overrides.items():
        for key, value in values.items():
            setattr(getattr(cfg, section), key, value)
    with pytest.raises(UserError, match=re.escape(part)):
        create_app(cfg)


def test_a_client_that_hangs_up_frees_everything():
    async def sleep(request, body):
        if body.get("stream"):
            reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await reply.prepare(request)
            while True:
                await reply.write(b"data: {}\n\n")
                await asyncio.sleep(0.02)
        await asyncio.sleep(30)

    async def leave(url, stream):
        async with aiohttp.ClientSession() as session:
            body = {"model": "t", "messages": shown(PNG), "stream": stream}
            try:
                async with session.post(f"{url}/chat/completions", json=body, timeout=aiohttp.ClientTimeout(total=0.3)) as reply:
                    async for _ in reply.content:
                        pass
            except asyncio.TimeoutError:
                pass

    with proxy(behave=sleep) as made:
        for n, stream in enumerate((False, True), 1):
            asyncio.run(leave(made.url, stream))
            assert eventually(lambda n=n: made.target.hung_up == n)
        assert eventually(lambda: metric(made.url, 'guard_requests_total{outcome="gone"}') == 2)
        assert metric(made.url, "guard_requests_under_way") == 0 and metric(made.url, "guard_bytes_held") == 0


def test_a_client_that_does_not_read_holds_no_more_than_a_buffer():
    """Lock: what the target streams waits in the target, not in the proxy's memory."""
    written = []

    async def pour(request, body):
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        event = b"data: " + b"x" * 60_000 + b"\n\n"
        while True:
            await reply.write(event)
            written.append(len(event))

    with proxy("server.deadline_s=1", behave=pour) as made, dial(made) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps({"model": "t", "messages": shown(PNG), "stream": True}).encode()
        line.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        before = 0
        while not written or sum(written) > before:
            assert sum(written) < 30 * 2**20  # what the kernel's buffers take on the way
            before = sum(written)
            time.sleep(0.3)
        assert eventually(lambda: metric(made.url, "guard_requests_under_way") == 0)


def test_200_at_once_and_the_201st_is_told_to_come_back():
    go_on = threading.Event()

    async def wait(request, body):
        while not go_on.is_set():
            await asyncio.sleep(0.05)
        return await answered(request, body)

    async def many(url):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=50)) as session:

            async def one(i):
                body = {"model": "t", "messages": shown(PNG, text=str(i)), "stream": i % 2 == 0}
                async with session.post(f"{url}/chat/completions", json=body) as reply:
                    await reply.read()
                    return reply.status

            tasks = [asyncio.create_task(one(i)) for i in range(200)]
            while metric_under_way() < 200:
                await asyncio.sleep(0.05)
            async with session.post(f"{url}/chat/completions", json={"model": "t", "messages": shown(PNG)}) as reply:
                refused = reply.status, reply.headers["Retry-After"], (await reply.json())["error"]["code"]
            go_on.set()
            return refused, await asyncio.gather(*tasks)

    with proxy("server.concurrency=200", "rewriter.deadline_s=50", behave=wait) as made:

        def metric_under_way():
            return len(made.target.seen)

        refused, statuses = asyncio.run(many(made.url))
        assert refused == (503, "1", "overloaded") and statuses == [200] * 200
        alive(made)


def test_all_requests_together_have_bounded_room():
    go_on = threading.Event()

    async def wait(request, body):
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return await answered(request, body)

    big = shown(data_url(picture()), text="x" * 700_000)
    with proxy("server.max_bodies_mb=1", "server.max_body_mb=1", "rewriting.prompt_characters=1000000", behave=wait) as made:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(ask, made.url, big)
            assert eventually(lambda: made.target.seen)
            assert code(ask(made.url, big)) == (503, "overloaded")
            go_on.set()
            assert first.result()[0] == 200
        alive(made)


def test_a_fault_of_our_own_is_an_error_without_words_of_the_request(monkeypatch, caplog):
    def explode(*args, **kwargs):
        raise RuntimeError(" ".join(("private", "words")))

    monkeypatch.setattr("rl_align.guard.chat.parse", explode)
    with proxy() as made:
        assert code(ask(made.url)) == (500, "internal_error")
    assert "RuntimeError" in caplog.text and "private words" not in caplog.text


def test_base64_of_one_image_is_not_encoded_anew():
    """An image that is what it says is handed on byte for byte."""
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    with proxy() as made:
        ask(made.url, shown(url))
        assert made.target.seen[0][1]["messages"][0]["content"][0]["image_url"]["url"] == url
