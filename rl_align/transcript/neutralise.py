"""Takes the power from special tokens that untrusted text spells out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

#: Media markers that verl's dataset and most processors replace by media, whatever the tokenizer calls special.
MEDIA_MARKERS = ("<image>", "<video>", "<audio>")

_SEPARATORS = (" ", "\u00b7", "\u2009", "\ufffd")


def neutralise(text: str, special_tokens: Iterable[str]) -> str:
    """The text with every special token, and every media marker, broken by a separator behind its first character.

    No special token survives and none arises from the replacement, because no token contains the separator. Idempotent;
    text without special tokens comes back identical. Tokens match exactly, as tokenizers match them.

    Args:
        text: Untrusted text.
        special_tokens: Spellings that the tokenizer or processor treats as more than text.

    Raises:
        ValueError: The tokens contain every separator there is to break them with.
    """
    pattern, separator = _pattern(tuple(special_tokens))
    return pattern.sub(lambda m: separator if m["single"] else m[0] + separator, text)


@lru_cache(maxsize=64)
def _pattern(special_tokens: tuple[str, ...]) -> tuple[re.Pattern[str], str]:
    tokens = {t for t in (*special_tokens, *MEDIA_MARKERS) if t}
    separator = next((s for s in _SEPARATORS if not any(s in t for t in tokens)), None)
    if separator is None:
        raise ValueError("the special tokens contain every separator that could break them")
    single = [re.escape(t) for t in tokens if len(t) == 1]
    rests: dict[str, list[str]] = {}
    for token in sorted(tokens):
        if len(token) > 1:
            rests.setdefault(token[0], []).append(re.escape(token[1:]))
    # Only the first character is consumed, so overlapping tokens are all found.
    longer = [f"{re.escape(first)}(?={'|'.join(rest)})" for first, rest in rests.items()]
    return re.compile(f"(?P<single>{'|'.join(single) or '(?!)'})|{'|'.join(longer)}"), separator
