"""Agent loops: how one prompt becomes trained texts. Registered with verl under the names that rows carry in `agent_name`."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput, register

from rl_align.models.vocabulary import vision_bias
from rl_align.runfiles.atomic import write_bytes
from rl_align.schema import Seat

from .rollout_server import Sibling
from .scoring import Scored, Scorer

T = TypeVar("T")


@dataclass
class Prompt:
    """A prompt as the model sees it, processed once for all its siblings.

    Attributes:
        ids: Token ids (T_prompt), image tokens expanded.
        images: Decoded images, or None.
        features: The processor's output for the trainer (`pixel_values`, `image_grid_thw`); empty without images.
    """

    ids: list[int]
    images: list[Any] | None
    features: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """A sampled text.

    Attributes:
        tokens: Token ids, end token included.
        log_probs: Of each, under the sampling distribution.
        text: Decoded, without special tokens.
        truncated: Whether the limit cut it off.
        seconds: From request to answer.
        version: Of the weights.
    """

    tokens: list[int]
    log_probs: list[float]
    text: str
    truncated: bool
    seconds: float
    version: int


@dataclass(frozen=True)
class Text:
    """A trained text: what the model saw, what it wrote, and its place in the group.

    Attributes:
        prompt: As the model saw it.
        output: What it wrote, scored.
        session: The episode within the group.
        index: Its place in the episode.
    """

    prompt: Prompt
    output: AgentLoopOutput
    session: int
    index: int = 0


@register("responder")
class ResponderLoop(AgentLoopBase):
    """The policy writes one text for image and prompt; the text is scored here, in process."""

    seat = Seat.RESPONDER
    #: Whether a text is handed on to another hop: it then goes there as soon as it has landed, not with its siblings.
    hands_on = False
    # Set by the worker, once for all its loops:
    scorer: Scorer
    canaries: Callable[[Mapping[str, Any]], Mapping[str, str]] = staticmethod(lambda row: {})
    canaries_every: int = 0
    image_folder: Path | None = None

    async def prepare(self, messages: list[dict]) -> Prompt:
        """Builds the prompt's tokens and image features with one run of the processor."""
        data = await self.process_multi_modal_info(messages)
        self._assert_mm_supported(bool(data))
        features: dict[str, Any] = {}
        ids = self.continuous_token_builder.build_initial_tokens(
            messages, tools=None, images=data.get("images"), videos=None, audios=None, mm_inputs_out=features
        )
        return Prompt(
            list(ids),
            data.get("images"),
            {k: v for k, v in features.items() if k not in ("input_ids", "attention_mask")},
        )

    def request(self, sampling_params: dict[str, Any], row: dict[str, Any], session: int = 0) -> dict[str, Any]:
        """Sampling parameters of one request: vision tokens banned, seeded by (run, item, step, session)."""
        banned = vision_bias(self.tokenizer.get_added_vocab())
        key = f"{self.rollout_config.seed}/{row['extra_info']['item_id']}/{row['global_steps']}/{session}"
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1
        return {**sampling_params, "logit_bias": banned, "seed": seed}

    async def run_group(self, server: Any, sampling_params: dict[str, Any], n: int, row: dict[str, Any]) -> list[Text]:
        """Samples and scores `n` siblings.

        Args:
            server: Handle of a server with `generate_group` and `stream_group`.
            sampling_params: The trainer's.
            n: Siblings.
            row: The data row.
        """
        prompt = await self.prepare(list(row["raw_prompt"]))

        async def scored(session: int, sample: Sample) -> Text:
            told, cost = await self._score(row, sample.text, len(sample.tokens), sample.truncated)
            return Text(prompt, self.output(row, prompt, sample, self.seat, told, cost), session)

        texts = await self.each(server, self.request(sampling_params, row), n, prompt, scored)
        if texts and self.canaries_every and row["global_steps"] % self.canaries_every == 0:
            texts[0].output.extra_fields["rl"]["canaries"] = await self._score_canaries(row)
        return texts

    async def sample(self, server: Any, request: dict[str, Any], n: int, prompt: Prompt) -> list[Sample]:
        """`n` texts to one prompt, in one request."""
        begun = time.perf_counter()
        group = await server.generate_group.remote(prompt.ids, request, n, prompt.images)
        return [self._sample(sibling, begun) for sibling in group]

    async def stream(self, server: Any, request: dict[str, Any], n: int, prompt: Prompt) -> AsyncIterator[tuple[int, Sample]]:
        """As `sample`, but each text with its index, as soon as it has landed."""
        begun = time.perf_counter()
        async for landed in server.stream_group.remote(prompt.ids, request, n, prompt.images):
            index, sibling = await landed
            yield index, self._sample(sibling, begun)

    async def each(
        self, server: Any, request: dict[str, Any], n: int, prompt: Prompt, then: Callable[[int, Sample], Awaitable[T]]
    ) -> list[T]:
        """Samples `n` texts and calls `then` with the index of each and itself.

        Returns:
            What `then` returned (n), by index.
        """
        if not self.hands_on:
            samples = await self.sample(server, request, n, prompt)
            return list(await asyncio.gather(*(then(index, sample) for index, sample in enumerate(samples))))
        begun: dict[int, asyncio.Future[T]] = {}
        try:
            async for index, sample in self.stream(server, request, n, prompt):
                begun[index] = asyncio.ensure_future(then(index, sample))
            return [await begun[index] for index in sorted(begun)]
        finally:
            for future in begun.values():
                future.cancel()  # what has ended stays as it is

    def _sample(self, sibling: Sibling, begun: float) -> Sample:
        tokens = sibling.token_ids[: self.rollout_config.response_length]
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        seconds = time.perf_counter() - begun
        return Sample(tokens, sibling.log_probs[: len(tokens)], text, not sibling.finished, seconds, sibling.global_steps)

    def output(self, row: dict[str, Any], prompt: Prompt, sample: Sample, seat: Seat, told: Scored, cost: float) -> AgentLoopOutput:
        """A scored text as verl takes it.

        Args:
            row: The data row.
            prompt: What the model saw.
            sample: What it wrote.
            seat: As what.
            told: Its score.
            cost: Seconds that our own code took for that.
        """
        return AgentLoopOutput(
            prompt_ids=prompt.ids,
            response_ids=sample.tokens,
            response_mask=[1] * len(sample.tokens),
            response_logprobs=sample.log_probs,
            num_turns=2,
            metrics=AgentLoopMetrics(generate_sequences=sample.seconds, compute_score=cost),
            reward_score=told.reward if told.reward is not None else 0.0,
            extra_fields=_extra(seat, row, sample, told, self._keep_image(row), cost),
        )

    async def _score(self, row: dict[str, Any], text: str, tokens: int, truncated: bool) -> tuple[Scored, float]:
        """The score, and the seconds that our own code took for it: waiting for a judge costs the machine nothing."""
        begun = time.perf_counter()
        scored = self.scorer(row, text, tokens, truncated)
        cost = time.perf_counter() - begun
        return (await scored if inspect.isawaitable(scored) else scored), cost

    async def _score_canaries(self, row: dict[str, Any]) -> dict[str, float | None]:
        """What texts that deserve nothing would have earned here."""
        limit = self.rollout_config.response_length
        texts = self.canaries(row)
        lengths = {name: len(self.tokenizer(text)["input_ids"]) for name, text in texts.items()}
        scored = await asyncio.gather(*(self._score(row, texts[name], min(n, limit), n > limit) for name, n in lengths.items()))
        return {name: told.reward for name, (told, _) in zip(lengths, scored, strict=True)}

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """verl's interface for a single sample."""
        server_id, server = await self.server_manager._acquire_server(row["uid"])
        try:
            return (await self.run_group(server, sampling_params, 1, row))[0].output
        finally:
            self.server_manager._release_server(server_id, request_id=row["uid"])

    def _keep_image(self, row: dict[str, Any]) -> str | None:
        """Writes the first image beside the rollout log, once, under the hash of its bytes; returns its relative path."""
        if self.image_folder is None:
            return None
        for message in row["raw_prompt"]:
            for part in message["content"] if isinstance(message["content"], list) else ():
                data = part.get("bytes") if part.get("type") == "image" else None
                if data:
                    name = hashlib.sha256(data).hexdigest()[:20] + ".png"
                    path = self.image_folder / name
                    if not path.exists():
                        write_bytes(path, data)
                    return f"images/{name}"
        return None


@register("rewriter")
class RewriterLoop(ResponderLoop):
    """The policy rewrites the prompt; its scorer has a target answer each rewrite as soon as it has landed."""

    seat = Seat.REWRITER
    hands_on = True


def _text(messages: list[dict]) -> str:
    """What the person wrote, without the images."""
    last = messages[-1]["content"]
    return last if isinstance(last, str) else "".join(p["text"] for p in last if p.get("type") == "text")


def _extra(seat: Seat, row: dict, sample: Sample, scored: Scored, image: str | None, cost: float) -> dict[str, Any]:
    return {
        "rl": {
            "item_id": row["extra_info"]["item_id"],
            "seat": seat.value,
            "status": scored.status.value,
            "reward": scored.reward,
            "components": scored.components,
            "gate": scored.gate,
            "prompt": _text(row["raw_prompt"]),
            "text": sample.text,
            "tokens": len(sample.tokens),
            "image": image,
            "score_s": cost,
            "facts": dict(scored.facts),
        },
        "reward_extra_info": {},
        "global_steps": sample.version,
        "min_global_steps": sample.version,
        "max_global_steps": sample.version,
        "turn_scores": [],
        "tool_rewards": [],
    }
