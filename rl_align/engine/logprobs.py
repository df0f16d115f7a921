"""Log-probabilities of a batch in a few operations, in float32.

Without flash-attention's kernel verl computes them token by token (one softmax, one gather and their gradients for each), which
costs more than the model when it is small, and in the precision of the logits. Unnecessary where flash-attention's cross entropy is
installed, and once verl does the same.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

FOR = {"verl": "0.9.1"}

#: Logits converted to float32 at a time, in elements: bounds the extra memory.
CHUNK = 1 << 24


def apply() -> None:
    """Replaces verl's fallback; its callers look it up at every call."""
    import verl.utils.torch_functional as target

    target.logprobs_from_logits_v2 = logprobs_from_logits


def logprobs_from_logits(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Twin of `verl.utils.torch_functional.logprobs_from_logits_v2`.

    Args:
        logits: (..., V).
        labels: (...).

    Returns:
        Log-probabilities of the labels, (...), float32.
    """
    vocabulary = logits.shape[-1]
    rows = max(1, CHUNK // vocabulary)
    flat, targets = logits.reshape(-1, vocabulary), labels.reshape(-1)
    losses = [F.cross_entropy(a.float(), b, reduction="none") for a, b in zip(flat.split(rows), targets.split(rows), strict=True)]
    return -torch.cat(losses).view(labels.shape) if losses else logits.new_zeros(labels.shape, dtype=torch.float32)
