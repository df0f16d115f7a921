"""From a sampled text to its reward, inside the agent loop. The loop knows no reward: it calls a `Scorer`."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from reward.label import read_label
from rl_align.schema import ImageRef, Item, Response, Status


@dataclass(frozen=True)
class Scored:
    """A text's reward.

    Attributes:
        reward: None when nothing could be scored.
        components: Component name → score, None where unscored.
        status: How the rollout ended.
        gate: Name of the gate that closed, or None.
        facts: What the hacking panel (`reward/panel.py`) and the watch (`watch.py`) read of the text.
    """

    reward: float | None
    components: Mapping[str, float | None] = field(default_factory=dict)
    status: Status = Status.OK
    gate: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Scorer(Protocol):
    """Scores one text of one data row; one that asks a judge returns an awaitable."""

    def __call__(self, row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored | Awaitable[Scored]: ...


def load(path: str, settings: Mapping[str, Any]) -> Any:
    """What `module:factory` makes of the settings: a scorer, or a measure."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)(settings)


def responder(settings: Mapping[str, Any]) -> Scorer:
    """Rule rewards of the responder.

    Args:
        settings: `reward` (a RewardConfig as a mapping) and `max_response_tokens`.
    """
    from omegaconf import OmegaConf

    from reward.config import RewardConfig
    from reward.responder import score_response, status_of
    from rl_align.policy.catalogue import Catalogue
    from rl_align.transcript.responder import parse_response

    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RewardConfig), settings["reward"]))
    limit = settings["max_response_tokens"]
    catalogue = Catalogue.load()

    def score(row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        item = shown(row)
        response = parse_response(text, catalogue, prompt=item.prompt)
        breakdown = score_response(
            item, response, tokens=tokens, max_tokens=limit, truncated=truncated, cfg=config, catalogue=catalogue
        )
        status = status_of(response, breakdown, truncated)
        return Scored(breakdown.reward, breakdown.scores(), status, breakdown.gate, facts_of(item, response))

    return score


def facts_of(item: Item, response: Response) -> dict[str, Any]:
    """What the hacking panel reads of a response."""
    from reward import citation
    from rl_align.policy.catalogue import Catalogue

    return {
        "harmful": item.harmful,
        "behaviour": response.behaviour.value if response.behaviour else None,
        "citations": len(response.citations),
        "right_citations": citation.right(item, response, Catalogue.load()),
    }


def shown(row: Mapping[str, Any]) -> Item:
    """The item behind a data row with its prompt and pictures, for what has to see them."""
    images, words = [], []
    content = row["raw_prompt"][-1]["content"]
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if part.get("type") == "image":
            images.append(ImageRef(data=part["bytes"]))
        elif part.get("type") == "text":
            words.append(part["text"])
    return replace(item_of(row), prompt="".join(words), images=tuple(images))


def item_of(row: Mapping[str, Any]) -> Item:
    """The item behind a data row, as far as rewards may know it."""
    info = row["extra_info"]
    return read_label(row["reward_model"]["ground_truth"], info["item_id"], row["data_source"], info["split"])
