"""Agent loops: how one prompt becomes trained texts. Registered with verl under the names that rows carry in `agent_name`."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput, register

from rl_align.models.vocabulary import vision_bias
from rl_align.runfiles.atomic import write_bytes
from rl_align.schema import Seat

from .scoring import Scored, Scorer


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


@register("responder")
class ResponderLoop(AgentLoopBase):
    """The policy writes one text for image and prompt; the text is scored here, in process."""

    seat = Seat.RESPONDER
    # Set by the worker, once for all its loops:
    scorer: Scorer
    canaries: Mapping[str, str] = {}
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

    async def run_group(
        self, server: Any, sampling_params: dict[str, Any], n: int, row: dict[str, Any]
    ) -> tuple[Prompt, list[AgentLoopOutput]]:
        """Samples and scores `n` siblings.

        Args:
            server: Handle of a server with `generate_group`.
            sampling_params: The trainer's.
            n: Siblings.
            row: The data row.
        """
        prompt = await self.prepare(list(row["raw_prompt"]))
        begun = time.perf_counter()
        group = await server.generate_group.remote(prompt.ids, self.request(sampling_params, row), n, prompt.images)
        generated = time.perf_counter()
        image = self._keep_image(row)
        texts = []
        for tokens in group.token_ids:
            tokens = tokens[: self.rollout_config.response_length]
            texts.append((tokens, self.tokenizer.decode(tokens, skip_special_tokens=True)))
        scored = await asyncio.gather(
            *(self._score(row, text, len(tokens), not ended) for (tokens, text), ended in zip(texts, group.finished, strict=True))
        )
        outputs = [
            AgentLoopOutput(
                prompt_ids=prompt.ids,
                response_ids=tokens,
                response_mask=[1] * len(tokens),
                response_logprobs=log_probs[: len(tokens)],
                num_turns=2,
                metrics=AgentLoopMetrics(generate_sequences=generated - begun, compute_score=cost),
                reward_score=told.reward if told.reward is not None else 0.0,
                extra_fields=_extra(self.seat, row, text, len(tokens), told, image, group.global_steps, cost),
            )
            for (tokens, text), log_probs, (told, cost) in zip(texts, group.log_probs, scored, strict=True)
        ]
        if outputs and self.canaries_every and row["global_steps"] % self.canaries_every == 0:
            outputs[0].extra_fields["rl"]["canaries"] = await self._score_canaries(row)
        return prompt, outputs

    async def _score(self, row: dict[str, Any], text: str, tokens: int, truncated: bool) -> tuple[Scored, float]:
        """The score, and the seconds that our own code took for it: waiting for a judge costs the machine nothing."""
        begun = time.perf_counter()
        scored = self.scorer(row, text, tokens, truncated)
        cost = time.perf_counter() - begun
        return (await scored if inspect.isawaitable(scored) else scored), cost

    async def _score_canaries(self, row: dict[str, Any]) -> dict[str, float | None]:
        """What texts that deserve nothing would have earned here."""
        limit = self.rollout_config.response_length
        lengths = {name: len(self.tokenizer(text)["input_ids"]) for name, text in self.canaries.items()}
        scored = await asyncio.gather(
            *(self._score(row, self.canaries[name], min(n, limit), n > limit) for name, n in lengths.items())
        )
        return {name: told.reward for name, (told, _) in zip(lengths, scored, strict=True)}

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """verl's interface for a single sample."""
        server_id, server = await self.server_manager._acquire_server(row["uid"])
        try:
            _, outputs = await self.run_group(server, sampling_params, 1, row)
            return outputs[0]
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
    """The policy rewrites the prompt; its scorer has a target answer the rewrite, as soon as the group has landed."""

    seat = Seat.REWRITER


def _text(messages: list[dict]) -> str:
    """What the person wrote, without the images."""
    last = messages[-1]["content"]
    return last if isinstance(last, str) else "".join(p["text"] for p in last if p.get("type") == "text")


def _extra(
    seat: Seat, row: dict, text: str, tokens: int, scored: Scored, image: str | None, version: int, cost: float
) -> dict[str, Any]:
    return {
        "rl": {
            "item_id": row["extra_info"]["item_id"],
            "seat": seat.value,
            "status": scored.status.value,
            "reward": scored.reward,
            "components": scored.components,
            "gate": scored.gate,
            "prompt": _text(row["raw_prompt"]),
            "text": text,
            "tokens": tokens,
            "image": image,
            "score_s": cost,
            "facts": dict(scored.facts),
        },
        "reward_extra_info": {},
        "global_steps": version,
        "min_global_steps": version,
        "max_global_steps": version,
        "turn_scores": [],
        "tool_rewards": [],
    }
