"""A key that does not show: not in a repr, an error, a log or a pickle."""

from __future__ import annotations

import os
from urllib.parse import quote

from rl_align.errors import UserError

REDACTED = "[redacted]"


class Secret:
    """An API key, or none.

    Args:
        value: The key; empty for none.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str = ""):
        self._value = value

    @classmethod
    def from_environment(cls, variable: str | None, where: str) -> Secret:
        """The key that a variable holds; none when no variable is named.

        Raises:
            UserError: The variable is not set, or holds something that no header can carry.
        """
        if variable is None:
            return cls()
        value = os.environ.get(variable, "").strip()
        if not value:
            raise UserError(f"the environment variable {variable} is not set", where=where, fix=f"export {variable}=…")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise UserError(f"{variable} holds no key", where=where, expected="printable ASCII without spaces")
        return cls(value)

    def headers(self) -> dict[str, str]:
        """The header that carries the key."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def redact(self, text: str) -> str:
        """`text` without the key: endpoints like to quote it when they refuse it."""
        if not self._value:
            return text
        return text.replace(self._value, REDACTED).replace(quote(self._value, safe=""), REDACTED)

    def __repr__(self) -> str:
        return f"Secret({REDACTED if self._value else 'none'})"

    def __reduce__(self):
        raise TypeError("a key is not pickled: it comes from the environment of every process")
