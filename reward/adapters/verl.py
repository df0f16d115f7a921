"""The responder's reward as verl's `custom_reward_function`.

    reward.custom_reward_function.path=pkg://reward.adapters.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.reward.weights.citation=2.0

The rows' `reward_model.ground_truth` is a label (`reward/label.py`). verl hands over the text alone, so there is no length
penalty and no truncation here: verl has both (`reward_model.overlong_buffer`). Our own trainer does not take this path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from reward.config import RewardConfig, config_from
from reward.label import read_label
from reward.responder import score_response
from rl_align.policy.catalogue import Catalogue
from rl_align.transcript.responder import parse_response


class UnscoredError(RuntimeError):
    """A text without a score. verl knows no such value, and a 0 would be one."""


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward: Mapping[str, Any] | None = None,
    on_unscored: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """Scores one text.

    Args:
        data_source: Name of the dataset.
        solution_str: What the policy wrote.
        ground_truth: The row's label.
        extra_info: Of the row; `item_id` is read, and `prompt`, what was asked, where a row has it: some answers refuse only in
            its light.
        reward: Settings of `RewardConfig`, nested; unknown keys fail.
        on_unscored: What a text without a score gets, if it must get something.

    Returns:
        "score", and every component by its name, NaN where it is unscored.

    Raises:
        UnscoredError: No score, and nothing was said about that: verl then drops the group, which is what it is worth.
    """
    item = read_label(ground_truth, str((extra_info or {}).get("item_id", "")), data_source)
    catalogue = _catalogue()
    breakdown = score_response(
        item,
        parse_response(solution_str, catalogue, prompt=(extra_info or {}).get("prompt")),
        tokens=0,
        max_tokens=1,
        truncated=False,
        cfg=_config(_frozen(reward or {})),
        catalogue=catalogue,
    )
    value = breakdown.reward if breakdown.reward is not None else on_unscored
    if value is None:
        raise UnscoredError(f"item {item.id!r} of {data_source!r} has no score: nothing is known of what is right")
    return {"score": value} | {name: math.nan if s is None else s for name, s in breakdown.scores().items()}


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    return Catalogue.load()


@lru_cache(maxsize=8)
def _config(settings: tuple[Any, ...]) -> RewardConfig:
    return config_from(_thawed(settings))


def _frozen(value: Any) -> Any:
    return tuple(sorted((k, _frozen(v)) for k, v in value.items())) if isinstance(value, Mapping) else value


def _thawed(value: Any) -> Any:
    return {k: _thawed(v) for k, v in value} if isinstance(value, tuple) else value
