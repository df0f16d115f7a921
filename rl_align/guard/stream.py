"""The events of a target's stream, looked at no more than they must be: did one report an error, and did the answer end?"""

from __future__ import annotations

import json
import re
from typing import Any

#: An end, or the reason why a choice ended. Within a string of JSON neither can stand: line ends and quotes are escaped there.
_END = re.compile(rb'(?:\A|[\r\n])data: ?\[DONE\]|"finish_reason" ?: ?"')
_NAMED = re.compile(rb"(?:\A|[\r\n])event: error[ \r\n]")
_LINES = re.compile(rb"\r\n|\r|\n")
_BLANK = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")


class Watch:
    """Watches one stream.

    Attributes:
        ended: Whether the answer, or one of its choices, has come to its end.
    """

    def __init__(self) -> None:
        self.ended = False

    def look(self, events: bytes) -> tuple[bytes, Any]:
        """What of some events is to be handed on, and the error that ends them; None when there is none.

        Args:
            events: Whole events.
        """
        if b'"error"' in events or b"event: error" in events:
            at = 0
            for event in _BLANK.split(events):
                error = error_of(_data(event))
                if error is not None or _NAMED.search(event):
                    return events[:at], error or {}
                at += len(event)
        self.ended = self.ended or _END.search(events) is not None
        return events, None


def error_of(data: bytes) -> Any:
    """The `error` of a JSON object that has one; None for anything else."""
    if b'"error"' not in data:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return (value.get("error") or None) if isinstance(value, dict) else None


def _data(event: bytes) -> bytes:
    """The data of one event, whose lines are joined as the specification of server-sent events says."""
    lines = (line[5:].removeprefix(b" ") for line in _LINES.split(event) if line.startswith(b"data:"))
    return b"\n".join(lines)
