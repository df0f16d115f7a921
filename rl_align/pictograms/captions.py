"""What a picture shows, in a word or a few: what a small model learns to see with, before it learns to reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROMPT = "Name it."


def caption(truth: Mapping[str, Any]) -> str:
    """The object's name, and the words in the picture where there are some."""
    return " ".join([truth["object"], *truth["words"]])
