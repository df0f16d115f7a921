"""The responder's rewards as reward functions of TRL's GRPOTrainer; None where there is no score, as TRL wants it.

    ends = {tokenizer.eos_token_id}
    GRPOTrainer(..., reward_funcs=[responder_reward(max_tokens=512, end_tokens=ends)], train_dataset=rows_with_a_column_named_label)
    GRPOTrainer(..., reward_funcs=component_rewards(), args=GRPOConfig(reward_weights=[1.0, 1.0, 1.0, 0.5, 0.5], ...))

The column `label` holds labels (`reward/label.py`); `id` is read when it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from reward.config import RewardConfig
from reward.label import read_label
from reward.responder import score_response
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import RewardBreakdown
from rl_align.transcript.responder import parse_response

Completion = str | Sequence[Mapping[str, str]]
RewardFunction = Callable[..., list[float | None]]
#: Components that `component_rewards` gives, in order. The gate is not one: a linear sum of functions cannot close it.
COMPONENTS = ("citation", "behaviour", "helpfulness", "length", "consistency")


def responder_reward(
    cfg: RewardConfig | None = None, max_tokens: int | None = None, end_tokens: Collection[int] = ()
) -> RewardFunction:
    """One reward function with the composed reward, gates included.

    Args:
        cfg: The responder's reward.
        max_tokens: TRL's `max_completion_length`; a completion that reaches it counts as truncated. None: no length penalty.
        end_tokens: Ids of the tokens that end a completion; one that ends with such a token was not cut off, whatever its length.
    """

    def rl_align_reward(completions: Sequence[Completion], label: Sequence[str], **columns: Any) -> list[float | None]:
        return [b.reward for b in _breakdowns(completions, label, columns, cfg or RewardConfig(), max_tokens, end_tokens)]

    return rl_align_reward


def component_rewards(
    cfg: RewardConfig | None = None, max_tokens: int | None = None, end_tokens: Collection[int] = ()
) -> list[RewardFunction]:
    """One reward function a component, which TRL logs and weighs by itself (`reward_weights`). Arguments as above."""

    def of(name: str) -> RewardFunction:
        def component(completions: Sequence[Completion], label: Sequence[str], **columns: Any) -> list[float | None]:
            found = _breakdowns(completions, label, columns, cfg or RewardConfig(), max_tokens, end_tokens)
            return [b.scores()[name] for b in found]

        component.__name__ = name
        return component

    return [of(name) for name in (*COMPONENTS, *(cfg.extra if cfg else ()))]


def _breakdowns(
    completions: Sequence[Completion],
    labels: Sequence[str],
    columns: Mapping[str, Any],
    cfg: RewardConfig,
    max_tokens: int | None,
    end_tokens: Collection[int],
) -> list[RewardBreakdown]:
    catalogue = Catalogue.load()
    ids = columns.get("id") or [""] * len(completions)
    prompts = columns.get("prompts") or [None] * len(completions)
    written = columns.get("completion_ids") or [()] * len(completions)
    limit = max_tokens or max(1, *map(len, written)) * 4
    return [
        score_response(
            read_label(label, str(item_id)),
            parse_response(_text(completion) or "", catalogue, prompt=_text(prompt)),
            tokens=len(tokens),
            max_tokens=limit,
            truncated=max_tokens is not None and len(tokens) >= max_tokens and tokens[-1] not in end_tokens,
            cfg=cfg,
            catalogue=catalogue,
        )
        for completion, label, item_id, tokens, prompt in zip(completions, labels, ids, written, prompts, strict=True)
    ]


def _text(said: Completion | None) -> str | None:
    """The text of a completion or a prompt: plain, or the last message of a conversation, its pictures left out."""
    if said is None or isinstance(said, str):
        return said
    content = said[-1]["content"]
    return content if isinstance(content, str) else " ".join(part["text"] for part in content if part.get("type") == "text")
