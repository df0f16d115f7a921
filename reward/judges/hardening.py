"""The fence between a judge's instructions and the material that it judges.

Material stands between `<<BEGIN name TAG>>` and `<<END name TAG>>`. The tag is an HMAC-SHA256 of the material under a secret key:

* nobody who writes material knows the key, so nobody can write its tag;
* whoever saw a tag cannot use it: material that holds it has another tag;
* the same material under the same key has the same tag, so the request is the same and the endpoint's cache hits.

A key from `secrets` for each process would do for safety; a key file in the run folder makes the cache hit in a continued run too.
The key is in no configuration, log or report. Spotlighting by such delimiters: arXiv 2403.14720; a closed fence and a neutralised
text rest on different assumptions, so both are used.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Hashable, Iterable
from functools import lru_cache
from pathlib import Path

from reward.judges.config import JudgeConfig
from reward.judges.folding import fold
from reward.judges.templates import load_text
from reward.judges.types import Request
from reward.judges.untrusted import disarm
from rl_align.endpoints.lru import Lru
from rl_align.errors import UserError

KEY_BYTES = 32
#: 64 bits in hexadecimal: cheap in tokens, and one guess for each text is all that a writer has.
TAG_CHARS = 16

RULES = "material.v1"

#: Characters and bytes of requests that are kept.
_REMEMBERED = 32 * 2**20


class Hardening:
    """How untrusted text gets into a prompt.

    Args:
        key: Secret that tags are derived from.
        limit: Longest text shown, in characters.
        special_tokens: Tokens of the judge's tokenizer to break beside the usual ones.
        tag_chars: Length of a tag.
    """

    def __init__(self, key: bytes, limit: int, special_tokens: Iterable[str] = (), tag_chars: int = TAG_CHARS):
        self._key = key
        self._tag_chars = tag_chars
        self._limit = limit
        self._special_tokens = tuple(special_tokens)
        #: Requests that were made with this key, by everything that is in them: siblings often write the same.
        self.made: Lru[tuple[Hashable, ...], Request] = Lru(_REMEMBERED)

    @classmethod
    def of(cls, cfg: JudgeConfig) -> Hardening:
        """As configured. Raises UserError when the key file cannot be read or made."""
        return _shared(load_key(cfg.fence_key_file), cfg.max_chars, tuple(cfg.special_tokens))

    def tag(self, purpose: str, material: Iterable[str | bytes]) -> str:
        """The tag of this material, all of it together; it does not occur in it.

        Args:
            purpose: What is judged, so that another preset has another tag.
            material: Every text and image of the request, whole.
        """
        parts = [p if isinstance(p, bytes) else p.encode("utf-8", "surrogatepass") for p in (purpose, *material)]
        # Lengths first: moving a boundary between two texts is another input.
        content = b"".join(len(p).to_bytes(8, "big") + p for p in parts)
        texts = [fold(p)[0].lower() for p in material if isinstance(p, str)]
        for attempt in range(256):
            tag = hmac.new(self._key, attempt.to_bytes(1, "big") + content, hashlib.sha256).hexdigest()[: self._tag_chars]
            if not any(tag in text for text in texts):
                return tag
        raise AssertionError("material that holds 256 tags of its own")

    def rules(self, tag: str) -> str:
        """What the system message says about fences, images and marks."""
        return load_text(RULES, ("tag",)).fill({"tag": tag})

    def clean(self, text: str) -> str:
        """The text without power, bounded."""
        return disarm(text, self._limit, self._special_tokens)

    def fenced(self, name: str, text: str, tag: str) -> str:
        """The text, clean, between its fences. `name` is one of the preset's own."""
        return f"<<BEGIN {name} {tag}>>\n{self.clean(text)}\n<<END {name} {tag}>>"


@lru_cache(maxsize=16)
def _shared(key: bytes, limit: int, special_tokens: tuple[str, ...]) -> Hardening:
    return Hardening(key, limit, special_tokens)


@lru_cache(maxsize=16)
def load_key(path: str | None) -> bytes:
    """The key in this file, made if it does not exist; without a file, one for this process.

    Several processes may ask at once: the first one's key wins.

    Raises:
        UserError: The file cannot be read or made, or holds something else.
    """
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    file = Path(path)
    try:
        if not file.exists():
            _make(file)
        key = bytes.fromhex(file.read_text("ascii").strip())
    except OSError as error:
        raise UserError(f"cannot read or make the key of fences ({error.strerror})", where=path) from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        expected = f"{KEY_BYTES} bytes in hexadecimal"
        raise UserError("is not a key of fences", where=path, expected=expected, fix="remove the file: a new key is made")
    return key


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_hex(KEY_BYTES) + "\n")
        try:
            # A link, and not a rename: it never replaces the key of somebody who was faster.
            os.link(draft, file)
        except FileExistsError:
            pass
    finally:
        draft.unlink()
