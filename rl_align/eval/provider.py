"""A lean Inspect model provider for vLLM's OpenAI-compatible server: `rl_align/<served model name>`.

It sends what Inspect's own `openai-api` provider sends, for 1.5 ms a request where that takes 5 to 7, which counts where client
and server share two cores. Any other provider works with the tasks too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import weakref
from typing import Any

import aiohttp
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

BASE_URL_VARIABLE = "RL_ALIGN_BASE_URL"

#: How often a request is sent whose connection breaks.
CONNECTION_ATTEMPTS = 3
#: Answers of an endpoint that another attempt may better, and the longest pause that it may ask for.
BUSY = (408, 409, 429, 500, 502, 503, 504)
MAX_PAUSE_S = 60.0

_STOP: dict[str | None, StopReason] = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}

#: Why a request was turned away for good, by what vLLM (pictures are counted apart from the text) and filters of endpoints say.
_REFUSED: dict[StopReason, re.Pattern[str]] = {
    "model_length": re.compile(r"maximum (?:context|model) length"),
    "content_filter": re.compile(r"\bcontent_filter\b|\bdata_inspection_failed\b"),
}

#: What verl's rollouts sample with; a model's own generation_config.json must not change it.
_PLAIN_SAMPLING = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class ServerError(RuntimeError):
    """The server refused or dropped a request."""


@modelapi(name="rl_align")
class VLLMChat(ModelAPI):
    """Chat completions of one vLLM server, not streamed.

    Args:
        model_name: Name under which the server serves the model.
        base_url: Up to and including `/v1`; by default the environment variable RL_ALIGN_BASE_URL.
        api_key: Sent as a bearer token when given.
        config: Inspect's settings of generation.
        timeout_s: Longest time for one request, waiting in the server's queue included.
        attempts: How often a request is sent whose connection breaks, or that a busy endpoint turns away where that is retried.
        backoff_s: Pause behind the first failed attempt, doubled after every further one.
        retry_busy: Whether endpoints are asked again that answer with one of BUSY, after what their `Retry-After` says.
        sampling: vllm, or openai for endpoints that know the fields of OpenAI's API only.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's signature)
        timeout_s: float = 600.0,
        attempts: int = CONNECTION_ATTEMPTS,
        backoff_s: float = 0.2,
        retry_busy: bool = False,
        sampling: str = "vllm",
    ):
        super().__init__(model_name, base_url or os.environ.get(BASE_URL_VARIABLE), api_key, [], config)
        if not self.base_url:
            raise ValueError(f"rl_align/{model_name} needs a base URL: pass --model-base-url or set {BASE_URL_VARIABLE}")
        self.timeout_s, self.attempts, self.backoff_s, self.retry_busy = timeout_s, attempts, backoff_s, retry_busy
        self.plain = _PLAIN_SAMPLING if sampling == "vllm" else {}
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One completion. Its `time` is that of the request that was answered, without those before it that failed.

        Raises:
            ServerError: Any answer but a completion, except that a prompt beyond the model's length gives an empty output
                with stop reason `model_length`, and one that the endpoint's filter keeps back one with `content_filter`.
            ValueError: Tools, or a content that is neither text nor image, were given.
        """
        if tools:
            raise ValueError("the rl_align provider calls no tools")
        status, text, seconds = await self._post(self.body(input, config))
        if status == 400 and (reason := next((stop for stop, said in _REFUSED.items() if said.search(text)), None)):
            return self._output("", reason, {}, seconds)
        if status != 200:
            raise ServerError(f"{self.model_name}: the server answered {status}: {text[:2000]}")
        data = json.loads(text)
        choice = data["choices"][0]
        stop = _STOP.get(choice["finish_reason"], "unknown")
        return self._output(choice["message"]["content"] or "", stop, data.get("usage") or {}, seconds)

    async def _post(self, body: dict[str, Any]) -> tuple[int, str, float]:
        """Status and text of the reply, and its seconds. What broke is tried again: seeded requests give the same answer twice."""
        for failed in range(1, self.attempts + 1):
            pause, began = self.backoff_s * 2 ** (failed - 1), time.perf_counter()
            try:
                async with self._open().post(f"{self.base_url}/chat/completions", json=body) as reply:
                    if failed == self.attempts or not self.retry_busy or reply.status not in BUSY:
                        return reply.status, await reply.text(), time.perf_counter() - began
                    pause = _asked_pause(reply.headers.get("Retry-After"), pause)
            except aiohttp.ClientConnectionError:
                if failed == self.attempts:
                    raise
            await asyncio.sleep(min(pause, MAX_PAUSE_S))
        raise AssertionError("unreachable")

    def connection_key(self) -> str:
        """Every server has its own limit of connections."""
        return str(self.base_url)

    def max_connections(self) -> int:
        """As many as a server generates at once by default."""
        return 128

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is not loop:
            # Inspect keeps models that a solver asks for, and an evaluation has a loop of its own.
            _abandon(self._session)
        if self._session is None or self._session.closed:
            headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
            self._session = aiohttp.ClientSession(
                # Inspect limits the requests in flight. Idle connections go before vLLM's server closes them after 5 s.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2),
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
                headers=headers,
            )
            self._loop = loop
            # Nobody closes such models, and aiohttp complains at the interpreter's end.
            weakref.finalize(self, _abandon, self._session)
        return self._session

    def body(self, messages: list[ChatMessage], config: GenerateConfig) -> dict[str, Any]:
        """The request that asks this."""
        body = {
            "model": self.model_name,
            "messages": [{"role": m.role, "content": _content(m)} for m in messages],
            **self.plain,
        }
        fields = ("max_tokens", "temperature", "top_p", "top_k", "seed", "logit_bias", "stop_seqs")
        for field in fields:
            value = getattr(config, field)
            if value is not None:
                body["stop" if field == "stop_seqs" else field] = value
        return body | (config.extra_body or {})

    def _output(self, text: str, stop: StopReason, usage: dict[str, Any], seconds: float) -> ModelOutput:
        asked, answered = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        message = ChatMessageAssistant(content=text, model=self.model_name, source="generate")
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=stop)],
            usage=ModelUsage(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered),
            time=seconds,
        )


def _asked_pause(header: str | None, pause: float) -> float:
    """What an endpoint asks for in seconds, where it asks for more than the pause that there would be."""
    try:
        return max(pause, float(header or 0))
    except ValueError:
        return pause


def _abandon(session: aiohttp.ClientSession) -> None:
    """Closes what belongs to a loop that no longer runs, where nothing can be awaited."""
    closing = session.close()
    try:
        closing.send(None)
    except (StopIteration, RuntimeError):
        pass
    finally:
        closing.close()


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if part.type == "text":
            parts.append({"type": "text", "text": part.text})
        elif part.type == "image":
            parts.append({"type": "image_url", "image_url": {"url": part.image}})
        else:
            raise ValueError(f"the rl_align provider sends no {part.type} content")
    return parts
