"""`/v1/chat/completions` of the proxy: read, checked, rewritten, handed on, and the answer passed back as it comes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
import uuid
from collections.abc import Coroutine, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rl_align.endpoints.secret import Secret

from .body import Gone, Receive, parse, read_body
from .config import GuardConfig
from .door import Door
from .errors import Code, GuardError
from .guard import Guard, Prepared
from .metrics import Metrics
from .outgoing import LINE, Outgoing, Send
from .places import Places
from .room import Lease
from .upstream import Upstream
from .upstream_reply import UpstreamReply

LOG = logging.getLogger("rl_align.guard")

#: The request's header that asks for the analysis, and the answer's that says whether the prompt was rewritten.
ASK_HEADER = "x-guard-analysis"
STATUS_HEADER = "x-guard"


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
        door: Who is let in.
        secrets: What no error and no line of the log may hold.
        metrics: Where it is counted.
    """

    def __init__(self, cfg: GuardConfig, guard: Guard, door: Door, secrets: Sequence[Secret], metrics: Metrics):
        self._cfg = cfg
        self._guard = guard
        self._door = door
        self._secrets = secrets
        self._metrics = metrics
        self._places = Places(cfg.server.concurrency, cfg.server.per_peer, metrics.under_way.set)
        #: Set when the server starts, as it belongs to its event loop.
        self.upstream: Upstream | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        call = _Call(uuid.uuid4().hex, time.perf_counter())
        out = Outgoing(send, scope.get(LINE), [(b"x-request-id", call.id.encode())])
        outcome = "gone"
        try:
            # Until its answer has been read a request holds its place and its bytes.
            with ExitStack() as held:
                outcome = await self._told(call, out, self._handle(call, scope, receive, out, held))
                if outcome != "gone" and not await out.read(self._left(call)):
                    outcome = "unread"
        finally:
            self._metrics.ended(outcome)
            self._metrics.held.set(self._guard.room.used)
            LOG.info(
                "%s %s, prompt %s, %.3f s (rewriter %.3f s, target %.3f s)",
                *(call.id, outcome, call.status, call.total_s, call.rewriter_s, call.target_s),
            )

    async def _told(self, call: _Call, out: Outgoing, work: Coroutine[Any, Any, str]) -> str:
        """What the work says that came of a request; where it fails the client is told why."""
        try:
            return await work
        except Gone:
            return "gone"
        except GuardError as error:
            return await self._tell(call, out, error)
        except Exception as error:
            # Where, not what: an exception's text may quote what somebody wrote.
            frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
            LOG.error("%s %s\n%s", call.id, type(error).__name__, frames)
            return await self._tell(call, out, GuardError(Code.internal_error, "the guard failed; see its log"))

    async def _handle(self, call: _Call, scope: Mapping[str, Any], receive: Receive, out: Outgoing, held: ExitStack) -> str:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._door.admit(headers.get("host", ""), headers.get("authorization"))
        # Without it any web page could send requests here: browsers ask before they send JSON elsewhere, and are told no.
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise GuardError(Code.unsupported_media_type, "the request's Content-Type is not application/json")
        held.enter_context(self._places.arriving((scope.get("client") or (None,))[0]))
        lease = held.enter_context(self._guard.room.lease())
        body = await read_body(receive, headers.get("content-length"), self._cfg.server, lease)
        held.enter_context(self._places.place())
        return await self._until_gone(receive, out, self._answer(call, body, headers, lease, out), call)

    def _left(self, call: _Call) -> float:
        return max(0.0, self._cfg.server.deadline_s - call.total_s)

    async def _until_gone(self, receive: Receive, out: Outgoing, work: Coroutine[Any, Any, str], call: _Call) -> str:
        """What the work returns. It is cancelled when the client hangs up, and when its time is over."""
        task = asyncio.ensure_future(work)
        watcher = asyncio.ensure_future(_hung_up(receive))
        try:
            done, _ = await asyncio.wait({task, watcher}, timeout=self._left(call), return_when=asyncio.FIRST_COMPLETED)
            # The server says that the client is gone, too, when the answer has ended.
            if task in done or (watcher in done and out.ended):
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
        call.rewriter_s = prepared.seconds
        call.status = "bypassed" if prepared.bypassed else "rewritten"
        out.add(STATUS_HEADER, call.status)
        if prepared.failure is not None:
            self._failed(call, prepared.failure, bypassed=True)
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
                    if reply.status != 200:
                        return await self._pass_error(call, reply, content, out)
                    await self._pass_whole(reply, content, out, analysis)
        finally:
            call.target_s = call.target_s or time.perf_counter() - began
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
        reply.check(content)
        if analysis is not None:
            content = _with_analysis(content, analysis)
        await out.json(200, content, reply.headers)

    async def _pass_error(self, call: _Call, reply: UpstreamReply, content: bytes, out: Outgoing) -> str:
        """Tells the client that the target answers with an error, and says whose fault it is."""
        body, words = reply.error(content)
        LOG.warning("%s the target answered with an error (%s)", call.id, self._loggable(words))
        await out.json(reply.status, self._redacted(body.decode()).encode(), reply.headers)
        if reply.status == 429:
            return "rate_limited"
        return "client_error" if reply.status < 500 else str(Code.upstream_failed)

    async def _tell(self, call: _Call, out: Outgoing, error: GuardError) -> str:
        """Sends an error, notes it, and says what came of the request."""
        if str(error.code).startswith("rewriter_"):
            self._failed(call, error, bypassed=False)
        elif error.detail:
            LOG.warning("%s %s (%s)", call.id, error.code, self._loggable(error.detail))
        await out.error(GuardError(error.code, self._redacted(error.message), param=error.param))
        return str(error.code)

    def _failed(self, call: _Call, error: GuardError, bypassed: bool) -> None:
        self._metrics.rewriter_failed(str(error.code), bypassed)
        LOG.warning("%s %s (%s)%s", call.id, error.code, self._loggable(error.detail), "; handed on as it came" if bypassed else "")

    def _loggable(self, detail: str) -> str:
        """What a log may hold: no keys, and behind the first colon endpoints quote what they were sent."""
        return "".join(c if c.isprintable() else "?" for c in self._redacted(detail).partition(": ")[0][:200])

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = secret.redact(text)
        return text


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _analysis(prepared: Prepared) -> dict[str, Any]:
    """The `guard` field of an answer."""
    rewriting = prepared.rewriting
    told: dict[str, Any] = {"status": "bypassed" if prepared.bypassed else "rewritten", "rewriter_s": round(prepared.seconds, 4)}
    if prepared.failure is not None:
        told["failure"] = str(prepared.failure.code)
    if rewriting.analysis is not None:
        a = rewriting.analysis
        told |= {"threat": dict(a.threat) if a.threat is not None else None, "policy": str(a.policy) if a.policy else None}
        told |= {"intent": a.intent, "rewrite": rewriting.text, "problems": list(a.problems)}
    return told


def _with_analysis(content: bytes, analysis: dict[str, Any]) -> bytes:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise GuardError(Code.upstream_failed, "the target's reply is no JSON; is upstream.base_url right?") from None
    return json.dumps({**data, "guard": analysis}).encode()
