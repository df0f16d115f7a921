"""Special tokens of a model folder, read from its files without loading a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

from rl_align.errors import UserError

#: A policy must not emit these: images exist in prompts only.
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")

#: Bias that keeps a token from ever being sampled.
BANNED = -100.0


def special_tokens(model: Path | str) -> dict[str, int]:
    """Every spelling that the tokenizer turns into one added token, with its id.

    Args:
        model: Hugging Face folder with a `tokenizer.json`.

    Raises:
        UserError: No such file, or one that is no tokenizer.
    """
    path = Path(model) / "tokenizer.json"
    try:
        tokens = json.loads(path.read_bytes())["added_tokens"]
        return {token["content"]: token["id"] for token in tokens}
    except OSError as error:
        expected = "a Hugging Face model folder with a tokenizer.json"
        raise UserError(f"cannot be read ({error.strerror})", where=str(path), expected=expected) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("not a tokenizer file", where=str(path), expected="a tokenizer.json") from error


def vision_bias(tokens: dict[str, int]) -> dict[int, float]:
    """The `logit_bias` that bans vision tokens."""
    return {tokens[name]: BANNED for name in VISION_TOKENS if name in tokens}
