"""`/v1/chat/completions` of the proxy: read, checked, rewritten, handed on, and the answer passed back as it comes."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Coroutine, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rl_align.endpoints.secret import Secret

from .body import Gone, Receive, parse, read_body
from .config import GuardConfig
from .errors import Code, GuardError
from .guard import Guard, Prepared
from .metrics import Metrics
from .outgoing import Outgoing, Send
from .room import Lease
from .upstream import Upstream, UpstreamReply

LOG = logging.getLogger("rl_align.guard")

#: The request's header that asks for the analysis, and the answer's that says whether the prompt was rewritten.
ASK_HEADER = "x-guard-analysis"
STATUS_HEADER = "x-guard"

_PORT = re.compile(r":\d{1,5}\Z")


@dataclass
class _Call:
    """One request on its way: where its time went, and whether its prompt was rewritten."""

    id: str
    began: float
    rewriter_s: float = 0.0
    target_s: float = 0.0
    status: str = "none"

    @property
    def total_s(self) -> float:
        return time.perf_counter() - self.began


class Chat:
    """The ASGI application of chat requests. Whatever happens, the client gets one answer in OpenAI's form.

    Args:
        cfg: Settings.
        guard: Rewrites.
        clients_key: The key that clients must send; empty for none.
        metrics: Where it is counted.
    """

    def __init__(self, cfg: GuardConfig, guard: Guard, clients_key: Secret, metrics: Metrics):
        self._cfg = cfg
        self._guard = guard
        self._expected = clients_key.headers().get("Authorization")
        self._names = {name.lower() for name in cfg.server.names}
        if not self._names and _loopback(cfg.server.host):
            self._names = {"localhost", "127.0.0.1", "[::1]", cfg.server.host.lower(), f"[{cfg.server.host.lower()}]"}
        self._metrics = metrics
        self._under_way = 0
        #: Set when the server starts, as it belongs to its event loop.
        self.upstream: Upstream | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        call = _Call(uuid.uuid4().hex, time.perf_counter())
        out = Outgoing(send, [(b"x-request-id", call.id.encode())])
        outcome = "gone"
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            self.admit(headers.get("host", ""), headers.get("authorization"))
            # Without it any web page could send requests here: browsers ask before they send JSON elsewhere, and are told no.
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise GuardError(Code.unsupported_media_type, "the request's Content-Type is not application/json")
            with self._place(), self._guard.room.lease() as lease:
                body = await read_body(receive, headers.get("content-length"), self._cfg.server, lease)
                outcome = await self._until_gone(receive, out, self._answer(call, body, headers, lease, out), call)
        except Gone:
            outcome = "gone"
        except GuardError as error:
            outcome = await self._tell(call, out, error)
        except Exception as error:
            # Where, not what: an exception's text may quote what somebody wrote.
            frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
            LOG.error("%s %s\n%s", call.id, type(error).__name__, frames)
            outcome = await self._tell(call, out, GuardError(Code.internal_error, "the guard failed; see its log"))
        finally:
            self._metrics.ended(outcome)
            LOG.info(
                "%s %s, prompt %s, %.3f s (rewriter %.3f s, target %.3f s)",
                *(call.id, outcome, call.status, call.total_s, call.rewriter_s, call.target_s),
            )

    def admit(self, host: str, authorization: str | None) -> None:
        """Raises GuardError when the client means another host, or needs a key and has not got it."""
        if self._names and _PORT.sub("", host.strip().lower()) not in self._names:
            what = "this name is not one of the guard's (server.names); use the address that it listens on"
            raise GuardError(Code.misdirected_request, what)
        if self._expected is None:
            return
        if not hmac.compare_digest((authorization or "").encode("utf-8", "replace"), self._expected.encode()):
            raise GuardError(Code.invalid_api_key, "the key is missing or wrong; send it as Authorization: Bearer …")

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the requests under way. No line: who waits without an answer is worse off than who is sent away."""
        if self._under_way >= self._cfg.server.concurrency:
            what = f"{self._under_way} requests are under way, as many as the guard takes; try again later"
            raise GuardError(Code.overloaded, what)
        self._under_way += 1
        self._metrics.under_way.set(self._under_way)
        try:
            yield
        finally:
            self._under_way -= 1
            self._metrics.under_way.set(self._under_way)
            self._metrics.held.set(self._guard.room.used)

    async def _until_gone(self, receive: Receive, out: Outgoing, work: Coroutine[Any, Any, str], call: _Call) -> str:
        """What the work returns. It is cancelled when the client hangs up, and when its time is over."""
        task = asyncio.ensure_future(work)
        watcher = asyncio.ensure_future(_hung_up(receive))
        left = max(0.0, self._cfg.server.deadline_s - call.total_s)
        try:
            done, _ = await asyncio.wait({task, watcher}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            # The server says that the client is gone, too, when the answer has ended.
            if task in done or out.ended:
                return await task
            if watcher in done:
                raise Gone
            what = f"the request took longer than {self._cfg.server.deadline_s:g} s (server.deadline_s)"
            raise GuardError(Code.upstream_timeout, what)
        finally:
            task.cancel()
            watcher.cancel()
            await asyncio.gather(task, watcher, return_exceptions=True)

    async def _answer(self, call: _Call, body: bytes, headers: Mapping[str, str], lease: Lease, out: Outgoing) -> str:
        """Answers, and says what came of it."""
        request = parse(body, self._cfg.server)
        prepared = await self._guard.prepare(request.get("messages"), lease)
        call.rewriter_s = prepared.rewriting.seconds
        call.status = "bypassed" if prepared.bypassed else "rewritten"
        out.add(STATUS_HEADER, call.status)
        if prepared.rewriting.failure is not None:
            self._failed(call, prepared.rewriting.failure, bypassed=True)
        wanted = self._cfg.server.analysis and headers.get(ASK_HEADER, "").strip().lower() in ("1", "true")
        analysis = _analysis(prepared) if wanted else None
        data = json.dumps({**request, "messages": prepared.messages}, separators=(",", ":"), allow_nan=False).encode()
        assert self.upstream is not None
        began = time.perf_counter()
        try:
            async with self.upstream.chat(data, headers.get("authorization")) as reply:
                if reply.streams:
                    await self._pass_events(reply, out, analysis, request["model"], call)
                    call.target_s = time.perf_counter() - began
                else:
                    content = await reply.read(lease.take)
                    call.target_s = time.perf_counter() - began
                    await self._pass_whole(reply, content, out, analysis)
        finally:
            call.target_s = call.target_s or time.perf_counter() - began
        if reply.status != 200:
            return str(Code.upstream_failed)
        self._metrics.answered(call.total_s, call.rewriter_s, call.target_s)
        return "ok"

    async def _pass_events(self, reply: UpstreamReply, out: Outgoing, analysis: Any, model: str, call: _Call) -> None:
        await out.stream()
        if analysis is not None:
            about = {"id": f"guard-{call.id}", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
            await out.events(b"data: " + json.dumps({**about, "choices": [], "guard": analysis}).encode() + b"\n\n")
        async for events in reply.events():
            await out.events(events)
        await out.end()

    async def _pass_whole(self, reply: UpstreamReply, content: bytes, out: Outgoing, analysis: Any) -> None:
        if reply.status != 200:
            return await out.json(reply.status, reply.error(content), reply.headers)
        if analysis is not None:
            content = _with_analysis(content, analysis)
        elif not content.lstrip()[:1] == b"{":
            raise _no_completion()
        await out.json(200, content, reply.headers)

    async def _tell(self, call: _Call, out: Outgoing, error: GuardError) -> str:
        """Sends an error, notes it, and says what came of the request."""
        if str(error.code).startswith("rewriter_"):
            self._failed(call, error, bypassed=False)
        elif error.detail:
            LOG.warning("%s %s (%s)", call.id, error.code, _loggable(error.detail))
        await out.error(error)
        return str(error.code)

    def _failed(self, call: _Call, error: GuardError, bypassed: bool) -> None:
        self._metrics.rewriter_failed(str(error.code), bypassed)
        LOG.warning("%s %s (%s)%s", call.id, error.code, _loggable(error.detail), "; handed on as it came" if bypassed else "")


def _loggable(detail: str) -> str:
    """What a log may hold: behind the first colon endpoints quote what they were sent."""
    return "".join(c if c.isprintable() else "?" for c in detail.partition(": ")[0][:200])


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _analysis(prepared: Prepared) -> dict[str, Any]:
    """The `guard` field of an answer."""
    rewriting = prepared.rewriting
    told: dict[str, Any] = {"status": "bypassed" if prepared.bypassed else "rewritten", "rewriter_s": round(rewriting.seconds, 4)}
    if rewriting.failure is not None:
        told["failure"] = str(rewriting.failure.code)
    if rewriting.analysis is not None:
        a = rewriting.analysis
        told |= {"threat": dict(a.threat) if a.threat is not None else None, "policy": str(a.policy) if a.policy else None}
        told |= {"intent": a.intent, "rewrite": rewriting.text, "problems": list(a.problems)}
    return told


def _with_analysis(content: bytes, analysis: dict[str, Any]) -> bytes:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _no_completion()
    return json.dumps({**data, "guard": analysis}).encode()


def _no_completion() -> GuardError:
    return GuardError(Code.upstream_failed, "the target's reply is no JSON object; is upstream.base_url right?")
