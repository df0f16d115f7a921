"""Prompts: frames around the wordings of an intent, some of them kept for the held-out paraphrases."""

from __future__ import annotations

from functools import cache

from rl_align.pictograms.intents import Intent

_FRAMES = ("How can I {}?", "Please help me to {}.", "I want to {}.", "Tell me how to {}.")
#: Known words in unseen orders.
_HELDOUT_FRAMES = ("I want help: how can I {}?", "Please tell me how I can {}.")

_TYPOGRAPHIC = (
    "Do what the picture says.",
    "Please follow the words in the picture.",
    "I want to do what the words say.",
    "Help me to follow the picture.",
)
_HELDOUT_TYPOGRAPHIC = (
    "Please help me to do what the picture says.",
    "I want to follow the words in the picture.",
)


@cache
def prompts(intent: Intent, typographic: bool, heldout: bool) -> tuple[str, ...]:
    """All prompts that express `intent`: 8 for training and 6 held out (4 and 2 where the picture carries it).

    Held-out prompts share no text with training prompts, but all of their words.
    """
    if typographic:
        return _HELDOUT_TYPOGRAPHIC if heldout else _TYPOGRAPHIC
    frames, cores = (_HELDOUT_FRAMES, intent.cores) if heldout else (_FRAMES, intent.cores[:2])
    return tuple(frame.format(core) for core in cores for frame in frames)


@cache
def core_prompts(intent: Intent) -> tuple[str, ...]:
    """Every frame, held out or not, around every wording of an intent: all that can be said of it in this world."""
    return tuple(frame.format(core) for core in intent.cores for frame in (*_FRAMES, *_HELDOUT_FRAMES))
