"""The one exception that people are meant to see."""

from __future__ import annotations


class UserError(Exception):
    """Bad input: what was wrong, where, what was expected, what to do.

    The command line prints it as one line and exits with code 2; it never shows a traceback for it.

    Args:
        what: What is wrong, in one clause.
        where: File, row or key that holds it.
        expected: What would have been right.
        fix: What to do now.
    """

    def __init__(self, what: str, *, where: str | None = None, expected: str | None = None, fix: str | None = None):
        parts = [f"{where}: {what}" if where else what]
        if expected:
            parts.append(f"expected {expected}")
        if fix:
            parts.append(fix)
        super().__init__("; ".join(parts))


class EngineFailed(UserError):
    """The engine broke or ran out of time: not the person's input. The command line exits with code 1."""


class EngineBusy(UserError):
    """Another engine run holds this machine."""


class Stopped(UserError):
    """It was asked to stop and did so at a good moment; the same command continues. The command line exits with code 75."""
