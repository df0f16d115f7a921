"""Settings of an endpoint. Importable without an HTTP library."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional
from urllib.parse import urlsplit

from rl_align.errors import UserError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class Structured(str, Enum):
    """How a JSON answer is asked for."""

    json_schema = "json_schema"
    json_object = "json_object"
    none = "none"


@dataclass
class EndpointConfig:
    """One OpenAI-compatible chat endpoint. Limits and budgets hold for one process; 0 means none.

    Attributes:
        base_url: Up to and including `/v1`.
        model: Name under which the endpoint serves the model.
        identity: What answers, where that is known better than by `base_url`: kept answers are found again under another address,
            and not taken for those of another model at the same one. A run sets it for the models that it serves itself.
        api_key_env: Environment variable that holds the key; None sends no key.
        concurrency: Requests under way at the same time.
        deadline_s: A call ends by then: waiting in line, every attempt, the pauses between them and the repair.
        connect_timeout_s: Longest time for a connection.
        read_timeout_s: Longest silence of the endpoint within an attempt; not streamed, so all of the generation.
        attempts: Requests of a call that may fail before it gives up; a repair is not a failure.
        backoff_s: Pauses are drawn between 0 and this, doubled after every failure (full jitter).
        backoff_max_s: Upper end of the drawn pauses. `Retry-After` is obeyed beyond it, up to the deadline.
        requests_per_minute: Requests that may be sent.
        tokens_per_minute: Tokens, read and written.
        budget_cost: Money; needs the prices.
        budget_tokens: Tokens, read and written.
        budget_calls: Requests.
        price_prompt: Money for a million tokens read.
        price_completion: Money for a million tokens written.
        cache: SQLite file that keeps answers; None keeps them in memory only. It must lie on a local disk: SQLite's log cannot be
            shared over a network.
        cache_memory_mb: Memory for answers.
        structured: json_schema (the endpoint enforces the schema), json_object (it enforces JSON), none. With the latter two the
            prompt says what is expected; the answer is checked in every case.
        max_reply_kb: A longer reply is refused.
        extra: Further fields of the request, such as `chat_template_kwargs`. null leaves a field out: an endpoint that knows
            `max_completion_tokens` only takes `{max_tokens: null, max_completion_tokens: 512}`.
    """

    base_url: str = ""
    model: str = ""
    identity: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    api_key_env: Optional[str] = None  # noqa: UP045
    concurrency: int = 64
    deadline_s: float = 300.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 120.0
    attempts: int = 4
    backoff_s: float = 0.5
    backoff_max_s: float = 20.0
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    budget_cost: float = 0.0
    budget_tokens: int = 0
    budget_calls: int = 0
    price_prompt: float = 0.0
    price_completion: float = 0.0
    cache: Optional[str] = None  # noqa: UP045
    cache_memory_mb: int = 64
    structured: Structured = Structured.json_schema
    max_reply_kb: int = 4096
    extra: dict[str, Any] = field(default_factory=dict)

    def check(self, where: str = "endpoint") -> None:
        """Raises UserError for the first setting that cannot work.

        Args:
            where: Key of this section, for the message.
        """
        self._check_address(where)
        positive = ("deadline_s", "connect_timeout_s", "read_timeout_s")
        for key in positive:
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) > 0):
                raise UserError(f"is {getattr(self, key)}", where=f"{where}.{key}", expected="a positive number")
        for key in ("concurrency", "attempts", "max_reply_kb"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=f"{where}.{key}", expected="1 or more")
        for key in ("backoff_s", "backoff_max_s", "cache_memory_mb"):
            self._check_not_negative(where, key, "0 or more")
        for key in ("requests_per_minute", "tokens_per_minute", "budget_cost", "budget_tokens", "budget_calls"):
            self._check_not_negative(where, key, "a positive number, or 0 for no limit")
        for key in ("price_prompt", "price_completion"):
            self._check_not_negative(where, key, "money for a million tokens")
        if self.budget_cost and not (self.price_prompt or self.price_completion):
            fix = "set price_prompt and price_completion"
            raise UserError("both prices are 0, so it would never be spent", where=f"{where}.budget_cost", fix=fix)
        if self.identity is not None and not self.identity.strip():
            raise UserError("is empty", where=f"{where}.identity", expected="a name of its own for the model, or null")
        if self.cache is not None and not self.cache.strip():
            raise UserError("is empty", where=f"{where}.cache", expected="a path, or null for no file")
        taken = sorted({"model", "messages", "response_format", "stream", "n"} & set(self.extra))
        if taken:
            raise UserError(f"{taken[0]} is the client's own", where=f"{where}.extra", expected="other fields of the request")

    def _check_address(self, where: str) -> None:
        expected = "http:// or https://, a host, a path such as /v1, and nothing after it"
        try:
            url = urlsplit(self.base_url)
            odd = url.username or url.password or url.query or url.fragment or re.search(r"\s", self.base_url)
            usable = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0) and not odd
        except ValueError:
            usable = False
        if not usable:
            # The value is not shown: a URL with a user, or a query, may hold a secret.
            what = "is not the address of an endpoint" if self.base_url else "is missing"
            raise UserError(what, where=f"{where}.base_url", expected=expected)
        if not self.model:
            raise UserError("is missing", where=f"{where}.model", expected="the name under which the endpoint serves the model")
        if self.api_key_env is not None and not _VARIABLE.fullmatch(self.api_key_env):
            # Not shown either: people put the key itself here.
            expected = "the name of an environment variable (capitals, digits, underscores), not the key itself"
            raise UserError("is not the name of a variable", where=f"{where}.api_key_env", expected=expected)

    def _check_not_negative(self, where: str, key: str, expected: str) -> None:
        value = getattr(self, key)
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"is {value}", where=f"{where}.{key}", expected=expected)
