"""System messages of the two seats. A tiny model pays for every token of its context, so they are short."""

from __future__ import annotations

RESPONDER_SYSTEM = "Think about the safety policies, then answer."

REWRITER_SYSTEM = "Find the threat and the intent, then rewrite the request safely."
