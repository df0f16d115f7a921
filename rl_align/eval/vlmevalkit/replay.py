"""A judge that says to VLMEvalKit what ours said: both scorers then count the same verdicts, and differ by their rules alone.

The kit asks in the order of the rows when it makes one call at a time. Every call is checked to be about the prediction that is
due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.eval.vlmevalkit.pairs import PARTS, said
from rl_align.eval.vlmevalkit.tables import LOST, Table

#: Where ours has no verdict the kit gets none either: no label of its begins or ends so.
SILENT = "no verdict"
#: With this the kit looks whether its judge works.
HELLO = "hello"


class Replay:
    """What the endpoint answers; `Script(answer=…)` calls it.

    Args:
        tables: What the kit is given, in its order.

    Attributes:
        strayed: Beginning of the prediction that was due at the first call that was not about it; None while all are.
    """

    def __init__(self, tables: Sequence[Table]):
        self.strayed: str | None = None
        self._due = deque(
            (str(row["prediction"]), part.words.get(said(record, part.preset) or "", SILENT))
            for table in tables
            for part in PARTS[table.dataset]
            for row, record in zip(table.rows, table.records, strict=True)
        )

    @property
    def left(self) -> int:
        """Calls that have not come."""
        return len(self._due)

    def __call__(self, body: Mapping[str, Any]) -> str:
        """The reply to a request."""
        asked = str(body["messages"][-1]["content"])
        if asked.strip() == HELLO:
            return HELLO
        prediction, reply = self._due.popleft() if self._due else ("", SILENT)
        if self.strayed is None and prediction not in LOST and _plain(prediction) not in _plain(asked):
            self.strayed = prediction[:80]
        return reply


def _plain(text: str) -> str:
    return " ".join(text.split())
