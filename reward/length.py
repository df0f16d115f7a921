"""Length: a penalty for running into the token limit and for extreme repetition.

score = min(overlong, repetition), in [-1, 0].

overlong, soft punishment of DAPO (arXiv 2503.14476, eq. 13), with L tokens, limit M and buffer B:
    0 for L <= M - B; (M - B - L) / B for M - B < L <= M; -1 beyond. A truncated text has no end: -1.
repetition, the worst of the parts of a text by how far they compress (zlib), c = bytes / compressed bytes:
    0 for c <= PLAIN; -1 for c >= LOOPING; linear between. Prose stays below 4; a sentence said ten times is at 8, one said twenty
    times above 10.
"""

from __future__ import annotations

import zlib

from rl_align.schema import Item, Response, Rewrite, Verdict

NAME, LOW, HIGH = "length", -1.0, 0.0

PLAIN, LOOPING = 5.0, 10.0
#: Of shorter texts (bytes) compression says nothing; longer ones (characters) are judged by their end, where loops are.
SHORTEST, LONGEST = 100, 65536
#: A text of which more than one word in so many is a new one does not loop, as long as its words are no longer than WORD letters.
REPEATED, WORD = 3, 20

_NONE = Verdict(0.0)


def score(item: Item, response: Response | Rewrite, *, tokens: int, max_tokens: int, buffer: int, truncated: bool) -> Verdict:
    """The penalty.

    Args:
        item: Not read.
        response: The parsed text.
        tokens: Tokens sampled.
        max_tokens: The limit on sampled tokens.
        buffer: Tokens before the limit over which the penalty grows; at least 1.
        truncated: Whether the limit cut the text off.
    """
    overlong = -1.0 if truncated else max(-1.0, min(0.0, (max_tokens - buffer - tokens) / buffer))
    looping = min(map(repetition, _parts(response)))
    if overlong == looping == 0.0:
        return _NONE
    return Verdict(overlong, "overlong") if overlong <= looping else Verdict(looping, "repetition")


def _parts(text: Response | Rewrite) -> tuple[str, ...]:
    """What may loop by itself: a loop in the answer is as bad below a long description as without one."""
    if isinstance(text, Response) and text.parsed:
        return tuple(part for part in (text.think, text.description, text.assessment, text.answer) if part)
    return (text.raw,)


def repetition(text: str) -> float:
    """-1 for a text that loops, 0 for ordinary text."""
    if len(text) < SHORTEST and (len(text) < SHORTEST // 4 or text.isascii()):
        return 0.0
    text = text[-LONGEST:]
    words = text.split()
    if len(text) < WORD * len(words) and len(words) < REPEATED * len(set(words)):
        return 0.0
    data = text.encode("utf-8", "surrogatepass")
    if len(data) < SHORTEST:
        return 0.0
    ratio = len(data) / len(zlib.compress(data, 1))
    return -max(0.0, min(1.0, (ratio - PLAIN) / (LOOPING - PLAIN)))
