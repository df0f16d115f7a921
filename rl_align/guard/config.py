"""Settings of the guard. Importable without an HTTP library."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from rl_align.endpoints.config import EndpointConfig
from rl_align.errors import UserError
from rl_align.transcript.prompts import REWRITER_SYSTEM


class OnFailure(str, Enum):
    """What happens to a request whose rewriter failed: it is refused; handed on as it came when the rewriter is out of order, but
    not when it answers and its answer cannot be used; always handed on. Whoever writes a prompt can make the rewriter ramble, so
    the last one lets anybody switch the guard off.
    """

    closed = "closed"
    open_on_outage = "open_on_outage"
    open = "open"


class Turns(str, Enum):
    """Which of the user's turns are rewritten: the last one alone, or all of them. A client sends earlier turns as the person wrote
    them, so with `last` the second turn of a chat hands the first one on as if there were no guard.
    """

    last = "last"
    all = "all"


class ImageUrls(str, Enum):
    """What happens to an image that is given by an http(s) URL."""

    fetch = "fetch"
    forward = "forward"
    refuse = "refuse"


@dataclass
class RewritingConfig:
    """How the rewriter is asked, and what counts as its answer.

    Attributes:
        system: Its system message; the default is the one that training uses.
        max_tokens: Longest transcript.
        temperature: 0 is greedy.
        seed: Of sampling; None leaves it to the endpoint.
        turns: last or all, see `Turns`.
        new_turns: Earlier turns of one request that the rewriter is asked for; a chat with more of them is refused. Those whose
            rewrite is remembered do not count.
        memory_mb: Rewrites that are remembered, each with the chat up to its turn; 0 remembers none.
        context_characters: Text of the earlier turns that the rewriter is shown, the latest first. 0 shows none.
        prompt_characters: Longest text of a turn that is rewritten; with the last one counts what stands behind it, such as results
            of tools, of which the rewriter is shown everything.
        strict: Take only a transcript that follows the grammar exactly. Else a rewrite whose end was found is enough.
        on_failure: closed, open_on_outage or open, see `OnFailure`. What is handed on as it came is marked as bypassed.
        special_tokens: Spellings to break in what is put into a template, beside those of `guard/tokens.py`.
        allow_prefill: Take requests in which the assistant has the last word, which the target continues: no rewrite reaches it.
        allow_other_content: Take parts that are neither text nor images: input_audio, audio_url, video_url, file. They reach the
            target unseen.
    """

    system: str = REWRITER_SYSTEM
    max_tokens: int = 768
    temperature: float = 0.0
    seed: Optional[int] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    turns: Turns = Turns.all
    new_turns: int = 32
    memory_mb: float = 16.0
    context_characters: int = 16_000
    prompt_characters: int = 200_000
    strict: bool = False
    on_failure: OnFailure = OnFailure.closed
    special_tokens: list[str] = field(default_factory=list)
    allow_prefill: bool = False
    allow_other_content: bool = False

    def check(self, where: str) -> None:
        """Raises UserError for the first setting that cannot work."""
        _positive(where, max_tokens=self.max_tokens, prompt_characters=self.prompt_characters)
        _not_negative(where, temperature=self.temperature, context_characters=self.context_characters)
        _not_negative(where, new_turns=self.new_turns, memory_mb=self.memory_mb)


@dataclass
class ImagesConfig:
    """Which images are let through. Every one is decoded before it goes anywhere, unless its URL is forwarded.

    Attributes:
        count: Images of one request, all turns together.
        max_mb: Longest encoded image.
        max_megapixels: Most pixels of one image; beyond that it is not decoded. Decoding takes 4 bytes a pixel, of WebP 12.
        decoders: Images that are decoded at the same time.
        urls: fetch (by the guard, within the bounds below), forward (to rewriter and target, which each fetch it: only the URL's
            text is checked, so that a name may lead to any address, and they may be shown different images), refuse.
        fetch_timeout_s: Longest time to fetch one image, redirects included.
        resolve_timeout_s: Longest time to resolve a host's name.
        fetches: Images that are fetched at the same time.
        fetches_per_request: Of one request.
        redirects: Redirects that are followed for one image.
        ports: Ports that images are fetched from.
        hosts: Host names that images are fetched from; empty for any.
        networks: Networks beside the public ones that images are fetched from, such as 10.1.0.0/16.
        folder: Folder whose files `file://` URLs may name; None refuses such URLs.
    """

    count: int = 16
    max_mb: float = 20.0
    max_megapixels: float = 50.0
    decoders: int = 2
    urls: ImageUrls = ImageUrls.fetch
    fetch_timeout_s: float = 10.0
    resolve_timeout_s: float = 3.0
    fetches: int = 32
    fetches_per_request: int = 4
    redirects: int = 3
    ports: list[int] = field(default_factory=lambda: [80, 443])
    hosts: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    folder: Optional[str] = None  # noqa: UP045

    def check(self, where: str) -> None:
        """Raises UserError for the first setting that cannot work."""
        _positive(where, max_mb=self.max_mb, max_megapixels=self.max_megapixels, decoders=self.decoders)
        _positive(where, fetch_timeout_s=self.fetch_timeout_s, resolve_timeout_s=self.resolve_timeout_s)
        _positive(where, fetches=self.fetches, fetches_per_request=self.fetches_per_request)
        _not_negative(where, count=self.count, redirects=self.redirects)
        for network in self.networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise UserError(f"holds {network!r}", where=f"{where}.networks", expected="networks such as 10.1.0.0/16") from None


@dataclass
class UpstreamConfig:
    """The target, behind the proxy.

    Attributes:
        base_url: Up to and including `/v1`.
        api_key_env: Environment variable that holds the target's key; None sends none.
        forward_authorization: Send the client's own `Authorization` on to the target. Only without `api_key_env`.
        connect_timeout_s: Longest time for a connection.
        read_timeout_s: Longest silence of the target. Not streamed, that is all of the generation.
        max_reply_mb: A longer answer is refused; so is a longer event of a stream.
    """

    base_url: str = ""
    api_key_env: Optional[str] = None  # noqa: UP045
    forward_authorization: bool = False
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 300.0
    max_reply_mb: float = 16.0

    def check(self, where: str) -> None:
        """Raises UserError for the first setting that cannot work."""
        # The same address, the same key: the client of endpoints knows what is wrong with either.
        EndpointConfig(self.base_url, "any", self.api_key_env).check(where)
        _positive(where, connect_timeout_s=self.connect_timeout_s, read_timeout_s=self.read_timeout_s)
        _positive(where, max_reply_mb=self.max_reply_mb)
        if self.api_key_env and self.forward_authorization:
            raise UserError("api_key_env and forward_authorization exclude each other", where=where, fix="choose one")


@dataclass
class ServerConfig:
    """The proxy.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        names: Names under which clients may reach it (their `Host`). Empty: any, or on a loopback address this machine's own:
            else a web page whose name is made to lead here could use the guard from a browser of this machine.
        api_key_env: Environment variable that holds the key that clients must send; None lets everybody in who can reach the port.
            /health, /ready and /metrics need none.
        pass_fields: Fields of requests to pass on beside OpenAI's (`guard/fields.py`), such as top_k; others are refused.
        concurrency: Requests under way, from the end of their arrival until their answer has been read; further ones are refused at
            once with 503.
        per_peer: Requests from one address, under way or still arriving (IPv6: from one /64); 0 for no limit. Behind another
            proxy all come from one address.
        max_body_mb: Longest request.
        max_bodies_mb: Bytes of all requests under way and of the images fetched for them; memory is about six times that.
        max_values: Most values of a request's JSON, roughly: commas and brackets.
        body_timeout_s: A request must have arrived by then; its header has the same time to itself, and so has the client to read
            the end of an answer.
        deadline_s: A request ends by then, streamed or not, read or not.
        analysis: Whether clients get the analysis when they ask for it (`X-Guard-Analysis: 1`).
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: list[str] = field(default_factory=list)
    api_key_env: Optional[str] = None  # noqa: UP045
    pass_fields: list[str] = field(default_factory=list)
    concurrency: int = 256
    per_peer: int = 0
    max_body_mb: float = 32.0
    max_bodies_mb: float = 512.0
    max_values: int = 200_000
    body_timeout_s: float = 30.0
    deadline_s: float = 600.0
    analysis: bool = True

    def check(self, where: str) -> None:
        """Raises UserError for the first setting that cannot work."""
        if not 0 <= self.port < 2**16:
            raise UserError(f"is {self.port}", where=f"{where}.port", expected="0 to 65535")
        _variable(where, self.api_key_env)
        _positive(where, concurrency=self.concurrency, max_body_mb=self.max_body_mb, max_bodies_mb=self.max_bodies_mb)
        _positive(where, max_values=self.max_values, body_timeout_s=self.body_timeout_s, deadline_s=self.deadline_s)
        _not_negative(where, per_peer=self.per_peer)
        if self.max_bodies_mb < self.max_body_mb:
            what = f"is {self.max_bodies_mb:g}, which is less than max_body_mb"
            raise UserError(what, where=f"{where}.max_bodies_mb", expected=f"{self.max_body_mb:g} or more")


def _rewriter() -> EndpointConfig:
    return EndpointConfig(
        concurrency=256, deadline_s=60.0, connect_timeout_s=5.0, read_timeout_s=60.0, attempts=2, cache_memory_mb=0
    )


@dataclass
class GuardConfig:
    """The guard and its proxy.

    Attributes:
        rewriter: The endpoint that serves the rewriter.
        rewriting: How it is asked.
        images: Which images are let through.
        upstream: The endpoint that serves the target.
        server: The proxy itself.
    """

    rewriter: EndpointConfig = field(default_factory=_rewriter)
    rewriting: RewritingConfig = field(default_factory=RewritingConfig)
    images: ImagesConfig = field(default_factory=ImagesConfig)
    upstream: UpstreamConfig = field(default_factory=UpstreamConfig)
    server: ServerConfig = field(default_factory=ServerConfig)

    def check(self, where: str = "guard") -> None:
        """Raises UserError for the first setting that cannot work; the rewriter's model may still be missing."""
        for name in ("rewriting", "images", "upstream", "server"):
            getattr(self, name).check(f"{where}.{name}")
        if self.server.api_key_env and self.upstream.forward_authorization:
            what = "clients would send one key for both, the guard and the target"
            fix = "choose server.api_key_env or upstream.forward_authorization"
            raise UserError(what, where=where, fix=fix)


def _positive(where: str, **values: float) -> None:
    for key, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise UserError(f"is {value}", where=f"{where}.{key}", expected="a positive number")


def _not_negative(where: str, **values: float) -> None:
    for key, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"is {value}", where=f"{where}.{key}", expected="0 or more")


def _variable(where: str, name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        # Not shown: people put the key itself here.
        expected = "the name of an environment variable (capitals, digits, underscores), not the key itself"
        raise UserError("is not the name of a variable", where=f"{where}.api_key_env", expected=expected)
