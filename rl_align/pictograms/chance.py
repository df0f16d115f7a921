"""Random generators named by what they decide, so that no draw depends on the order of another."""

from __future__ import annotations

import hashlib
import random


def chance(*key: object) -> random.Random:
    """A generator whose state follows from `key` alone, on every platform and in every process."""
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
