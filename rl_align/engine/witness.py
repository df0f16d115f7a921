"""What the trainer says of a few rollouts with the weights of a checkpoint: the log-probability of each of their tokens.

Whoever loads the model elsewhere can ask it about the same tokens. The rollouts themselves were sampled a step before, with the
weights of that step; their own log-probabilities say nothing about the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: File beside a checkpoint, and beside the model that is made of it.
WITNESS = "witness.json"
#: Rollouts of a witness.
TEXTS = 8


def choose(keys: Sequence[str], told: Sequence[Mapping[str, Any]], most: int = TEXTS) -> list[int]:
    """Which rows of a batch testify: one an item as long as there are items, in an order that does not depend on uuids.

    Args:
        keys: verl's `{uid}_{session}_{output}`; its padding has uids that begin with "pad".
        told: What the agent loop said of each.
        most: Rows.
    """
    real = [i for i, (key, text) in enumerate(zip(keys, told, strict=True)) if text and not key.startswith("pad")]
    real.sort(key=lambda i: (str(told[i]["item_id"]), *map(int, keys[i].rsplit("_", 2)[1:])))
    seen: dict[str, int] = {}
    rank = {}
    for i in real:
        rank[i] = seen[str(told[i]["item_id"])] = seen.get(str(told[i]["item_id"]), -1) + 1
    return sorted(real, key=lambda i: rank[i])[:most]


def text(told: Mapping[str, Any], key: str, ids: Any, mask: Any, log_probs: Any, episode: bool) -> dict[str, Any]:
    """One rollout's testimony.

    Args:
        told: What the agent loop said of it.
        key: verl's `{uid}_{session}_{output}`.
        ids: Token ids of prompt and response (T_prompt + T_response).
        mask: (T_response); only its length is read.
        log_probs: As the trainer puts them out (T_prompt + T_response): each position holds the token that follows it.
        episode: Whether prompts may be others than the row's.
    """
    length, response = len(ids), len(mask)
    prompt = length - response
    return {
        "item_id": told["item_id"],
        "seat": told["seat"],
        "of_row": not episode or (told["seat"] == "responder" and key.endswith("_0")),
        "prompt_ids": [int(i) for i in ids[:prompt]],
        "response_ids": [int(i) for i in ids[prompt:]],
        "log_probs": [round(float(value), 6) for value in log_probs[prompt - 1 : length - 1]],
    }
