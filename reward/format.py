"""Format: whether the text follows the grammar. A gate, as in SafeGRPO (arXiv 2511.12982).

score = 1 if the text is well formed, else 0.
"""

from __future__ import annotations

from rl_align.schema import Item, Response, Rewrite, Verdict

NAME, LOW, HIGH = "format", 0.0, 1.0

_FORMED = Verdict(1.0)


def score(item: Item, text: Response | Rewrite) -> Verdict:
    """1.0 for a well-formed text of either seat, else 0.0 with the problems as the reason."""
    return _FORMED if text.well_formed else Verdict(0.0, ", ".join(text.problems) or "no behaviour")
