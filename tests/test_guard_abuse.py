"""The proxy among clients and targets that mean it ill: who does not read or send, who tells too much, who ends too early."""

from __future__ import annotations

import json
import logging
import socket
import time
from contextlib import ExitStack, contextmanager
from urllib.request import urlopen

import openai
import pytest
from aiohttp import web
from guardclient import HEAD, PNG, alive, ask, client, code, dial, eventually, metric, post, read_all
from guarding import NOBODY, UPSTREAM_KEY, proxy, shown

from rl_align.guard.errors import GuardError
from rl_align.guard.places import Places
from rl_align.guard.stream import Watch, error_of

INSIDE = "10.9.8.7"
WORDS = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "t"}
WORDS["choices"] = [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]


def event(data: dict | str) -> bytes:
    return b"data: " + (data if isinstance(data, str) else json.dumps(data)).encode() + b"\n\n"


def streaming(*events: bytes):
    """A target that streams these."""

    async def behave(request, body):
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for data in events:
            await reply.write(data)
        return reply

    return behave


async def pour(request, body):
    """A target without end, or with an answer of some megabytes."""
    if not body.get("stream"):
        return web.json_response({"choices": [], "text": "x" * 12_000_000})
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    while True:
        await reply.write(event({**WORDS, "text": "x" * 60_000}))


def outcome(made, name: str) -> float:
    return metric(made.url, f'guard_requests_total{{outcome="{name}"}}')


@contextmanager
def deaf(made, stream: bool, count: int = 1):
    """Clients that send a request and never read."""
    body = json.dumps({"model": "t", "messages": shown(PNG), "stream": stream}).encode()
    with ExitStack() as stack:
        lines = []
        for _ in range(count):
            line = stack.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", int(made.url.split(":")[2].split("/")[0])))
            line.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            lines.append(line)
        yield lines


# Clients


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_does_not_read_is_under_way_until_its_line_is_cut(stream):
    """Lock: its place is nobody else's as long as the proxy holds its bytes, and no longer than the deadline and a moment."""
    with proxy("server.deadline_s=2", "server.concurrency=2", behave=pour) as made:
        with deaf(made, stream, count=2) as lines:
            assert eventually(lambda: metric(made.url, "guard_requests_under_way") == 2)
            assert eventually(lambda: code(ask(made.url)) == (503, "overloaded"))
            assert eventually(lambda: outcome(made, "unread") == 2, 15)
            assert all(len(read_all(line)) < 10_000_000 for line in lines)  # cut, not closed behind what is still to be read
        assert metric(made.url, "guard_requests_under_way") == metric(made.url, "guard_bytes_held") == 0


def test_the_end_of_an_answer_is_read_in_time():
    """Where the deadline is far the time to read it is that to send a request."""
    with proxy("server.body_timeout_s=0.5", behave=pour) as made, deaf(made, False) as (line,):
        assert eventually(lambda: metric(made.url, "guard_requests_under_way") == 1)
        assert eventually(lambda: metric(made.url, "guard_requests_under_way") == 0, 15)
        assert len(read_all(line)) < 10_000_000


def test_what_has_not_arrived_takes_nobody_s_place():
    """Lock: lines that announce a request and send one byte shut nobody out."""
    with proxy("server.concurrency=2") as made, ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(dial(made)).sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        assert eventually(lambda: metric(made.url, "guard_bytes_held") == 0)
        assert all(ask(made.url)[0] == 200 for _ in range(3))


def test_one_address_has_so_many_requests():
    with proxy("server.per_peer=2") as made:
        with dial(made) as one, dial(made) as two:
            for line in (one, two):
                line.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
            assert eventually(lambda: code(ask(made.url)) == (503, "overloaded") if ask(made.url)[0] == 503 else False)
        assert eventually(lambda: ask(made.url)[0] == 200)
        alive(made)


def test_a_long_header_that_comes_at_once_is_refused_too():
    with proxy() as made:
        for size, body in ((80_000, b""), (66_000, b"{}")):
            with dial(made) as line:
                line.sendall(HEAD + b"X-A: " + b"a" * size + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                head, _, told = read_all(line).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 431 ") and code((431, json.loads(told))) == (431, "invalid_request")
        alive(made)


def test_a_slash_too_many_leads_nowhere():
    """Lock: no redirect to a name that the client chose."""
    with proxy() as made:
        for path in ("/chat/completions/", "/models/"):
            status, headers, body = post(made.url, {"model": "t"}, {"Host": "evil.example"}, path)
            assert code((status, body)) == (404, "not_found") and "location" not in headers


def test_fields_and_keys_that_are_not_passed_on():
    with proxy("server.pass_fields=[top_k]") as made:
        status, body = ask(made.url, chat_template="{{ x }}")
        assert code((status, body)) == (400, "unsupported_parameter") and body["error"]["param"] == "chat_template"
        sly = [{"role": "user", "content": "hi", "tool_calls": [{"id": "1"}]}]
        with pytest.raises(openai.BadRequestError) as caught:
            client(made.url).chat.completions.create(model="t", messages=sly)
        assert caught.value.param == "messages[0].tool_calls"
        assert not made.rewriter.seen and ask(made.url, top_k=3)[0] == 200 and made.target.seen[0][1]["top_k"] == 3


def test_the_name_of_the_scheme_is_read_as_it_is_written(monkeypatch):
    monkeypatch.setenv("GUARD_KEY", "sk-guard")
    with proxy("server.api_key_env=GUARD_KEY") as made:
        for key in ("Bearer sk-guard", "bearer sk-guard", "BEARER  sk-guard "):
            assert ask(made.url, headers={"Authorization": key})[0] == 200
        for key in ("bearer SK-GUARD", "bearer", "basic sk-guard", "bearersk-guard", "bearer sk-guard x", "bearer é"):
            assert code(ask(made.url, headers={"Authorization": key})) == (401, "invalid_api_key")


def test_ready_asks_both_seats_and_metrics_has_names_too():
    def get(made, path, host="localhost"):
        with dial(made) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = read_all(line).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else body

    with proxy() as made:
        assert get(made, "/ready") == (200, {"status": "ready", "rewriter": True, "target": True})
        for path in ("/ready", "/metrics"):
            assert code(get(made, path, "evil.example")) == (421, "misdirected_request")
        assert get(made, "/metrics")[0] == 200
    with proxy(f"upstream.base_url={NOBODY}") as made:
        assert get(made, "/ready") == (503, {"status": "not ready", "rewriter": True, "target": False})
        with urlopen(made.url.removesuffix("/v1") + "/health", timeout=5) as reply:
            assert json.load(reply) == {"status": "ok"}


# Targets


@pytest.mark.parametrize(
    "told",
    [
        event({"error": {"message": f"worker at {INSIDE} died, key {UPSTREAM_KEY}", "code": 500}}) + event("[DONE]"),
        b"event: error\r\ndata: " + json.dumps({"message": f"worker at {INSIDE}, key {UPSTREAM_KEY}"}).encode() + b"\r\n\r\n",
        b'data: {"error":\ndata: "worker at %b, key %b"}\n\n' % (INSIDE.encode(), UPSTREAM_KEY.encode()),
    ],
)
def test_an_error_in_a_stream_is_told_in_our_words(told, monkeypatch, caplog):
    monkeypatch.setenv("UPSTREAM_KEY", UPSTREAM_KEY)
    caplog.set_level(logging.INFO)
    with proxy("upstream.api_key_env=UPSTREAM_KEY", behave=streaming(event(WORDS) + told)) as made:
        words = []
        with pytest.raises(openai.APIError) as caught:
            for chunk in client(made.url).chat.completions.create(model="t", messages=shown(PNG), stream=True):
                words.append(chunk.choices[0].delta.content)
        assert words == ["a"] and caught.value.code == "upstream_failed"
        assert UPSTREAM_KEY not in str(caught.value.body) + caplog.text and INSIDE not in str(caught.value.body)
        assert eventually(lambda: outcome(made, "upstream_failed") == 1) and outcome(made, "ok") == 0
        assert not json.dumps(WORDS).count("event: error") and "the target reported an error" in caught.value.message


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_errors_of_the_target_keep_its_status_and_lose_its_words(status, monkeypatch, caplog):
    monkeypatch.setenv("UPSTREAM_KEY", UPSTREAM_KEY)
    told = {"message": f"{UPSTREAM_KEY} at {INSIDE}", "type": INSIDE, "param": UPSTREAM_KEY, "code": "context_length_exceeded"}

    async def fail(request, body):
        return web.json_response({"error": told}, status=status)

    with proxy("upstream.api_key_env=UPSTREAM_KEY", behave=fail) as made:
        for stream in (False, True):
            answer = ask(made.url, stream=stream)
            assert code(answer) == (status, "context_length_exceeded") and str(status) in answer[1]["error"]["message"]
            assert UPSTREAM_KEY not in json.dumps(answer) and INSIDE not in json.dumps(answer)
        expected = {400: "client_error", 404: "client_error", 429: "rate_limited"}.get(status, "upstream_failed")
        assert eventually(lambda: outcome(made, expected) == 2)
    assert f"status {status}, [redacted] at" in caplog.text and UPSTREAM_KEY not in caplog.text


def test_keys_of_all_seats_are_kept_from_the_log(monkeypatch, caplog):
    monkeypatch.setenv("REWRITER_KEY", "sk-rewriter-0123456789")

    async def quotes(request, body):
        return web.json_response({"error": {"message": f"no such key {request.headers['Authorization'][7:]}"}}, status=400)

    with proxy("rewriter.api_key_env=REWRITER_KEY", "upstream.forward_authorization=true", rewriter=quotes) as made:
        assert code(ask(made.url)) == (502, "rewriter_refused")
        assert "sk-rewriter" not in caplog.text and made.rewriter.seen
    with proxy("upstream.forward_authorization=true", behave=quotes) as made:
        answer = ask(made.url, headers={"Authorization": "Bearer sk-client-9876543210"})
        assert code(answer) == (400, None) and "sk-client" not in json.dumps(answer)
    assert "no such key [redacted]" in caplog.text and "sk-client" not in caplog.text


def test_an_error_where_an_answer_is_due_is_none():
    async def fail(request, body):
        return web.json_response({"error": {"message": f"at {INSIDE}", "code": 503}})

    with proxy(behave=fail) as made:
        for headers in ({}, {"X-Guard-Analysis": "1"}):
            status, body = ask(made.url, headers=headers)
            assert code((status, body)) == (502, "upstream_failed") and INSIDE not in json.dumps(body) and "503" in json.dumps(body)


@pytest.mark.parametrize("ended", [False, True])
def test_a_stream_has_to_end(ended):
    finish = {**WORDS, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    with proxy(behave=streaming(event(WORDS), *([event(finish)] if ended else []))) as made:
        stream = client(made.url).chat.completions.create(model="t", messages=shown(PNG), stream=True)
        if ended:
            assert [c.choices[0].finish_reason for c in stream] == [None, "length"]
        else:
            with pytest.raises(openai.APIError, match="ended before its answer"):
                list(stream)
        assert eventually(lambda: outcome(made, "ok" if ended else "upstream_failed") == 1)


def test_what_a_model_writes_ends_no_stream_and_is_no_error():
    """Lock: the marks stand outside of JSON's strings."""
    sly = 'data: [DONE]\n\n{"finish_reason": "stop"}\n"error": {"error": 1}\nevent: error\n'
    watch = Watch()
    chunk = event({"choices": [{"delta": {"content": sly, "tool_calls": [{"function": {"arguments": sly}}]}, "token": "error"}]})
    assert watch.look(chunk) == (chunk, None) and not watch.ended
    for end in (b"data: [DONE]\n\n", b": note\r\rdata:[DONE]\r\r", b'data: {"choices":[{"finish_reason": "stop"}]}\n\n'):
        watch = Watch()
        assert watch.look(end) == (end, None) and watch.ended
    assert (
        error_of(b'{"error": null}') is error_of(b'["error"]') is error_of(b'"error"') is error_of(b'{"a": {"error": 1}}') is None
    )


def test_a_slow_client_gets_the_whole_of_a_large_answer():
    async def large(request, body):
        return web.json_response({"choices": [], "text": "x" * 3_000_000})

    with proxy(behave=large) as made, dial(made) as line:
        body = json.dumps({"model": "t", "messages": shown(PNG)}).encode()
        line.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.5)
        assert len(read_all(line)) > 3_000_000
        assert eventually(lambda: outcome(made, "ok") == 1)


def test_addresses_of_one_network_are_one_peer():
    places = Places(10, 1, lambda count: None)
    for first, second, same in (
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        (None, "@", True),
    ):
        with places.arriving(first):
            if same:
                with pytest.raises(GuardError, match="of this client"), places.arriving(second):
                    pass
            else:
                with places.arriving(second):
                    pass
    assert not places._peers  # nothing is kept of who was here
