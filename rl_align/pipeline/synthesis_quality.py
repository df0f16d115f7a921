"""What truth says of synthesised rows, where it is known: how precise the filter is, and citations before and after it.

For measurement only, after everything is decided: no filter sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rl_align.pictograms.items import DATASET
from rl_align.pictograms.measure import worth
from rl_align.pictograms.rewrite_truth import judge_rewritten
from rl_align.pictograms.truth import judge
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item, Response
from rl_align.statistics import Estimate, share
from rl_align.synthesis.types import Decision, Fate
from rl_align.transcript.responder import parse_response
from rl_align.transcript.rewriter import parse_rewrite

Check = Callable[[Item, str], bool]


@dataclass(frozen=True)
class Quality:
    """Shares, each with its 95 % interval. Kept are the rows that passed all checks, also those left out by the balance.

    Attributes:
        right_before: First attempts that are right in everything.
        precision: Kept rows that are.
        recall: Right attempts that were kept.
        citation_before: First attempts whose citation (or threat) is exactly right; an unreadable one is not.
        citation_after: Kept rows whose citation is.
    """

    right_before: Estimate
    precision: Estimate
    recall: Estimate
    citation_before: Estimate
    citation_after: Estimate

    def mapping(self) -> dict[str, dict[str, float | None]]:
        """For `summary.json`."""
        return {name: asdict(estimate) for name, estimate in vars(self).items()}


def described_quality(quality: Quality) -> str:
    """One line for the console, in per cent."""

    def said(e: Estimate) -> str:
        return "–" if e.value is None else f"{100 * e.value:.1f} ({100 * e.low:.1f} to {100 * e.high:.1f})"

    return (
        f"by the truth, %: right before the filter {said(quality.right_before)}, its precision {said(quality.precision)}, "
        f"recall {said(quality.recall)}; citations right before {said(quality.citation_before)}, "
        f"after {said(quality.citation_after)}"
    )


def of_responses(decisions: Sequence[Decision]) -> Quality | None:
    """Of the responder's transcripts: right in behaviour, citations and content. None for items without truth."""
    catalogue = Catalogue.load()
    return _quality(
        decisions,
        lambda item, text: worth(item, text, catalogue) == 1.0,
        lambda item, text: judge(item, parse_response(text, catalogue, prompt=item.prompt)).citation_exact,
    )


def of_rewrites(decisions: Sequence[Decision]) -> Quality | None:
    """Of the rewriter's: a harmful request became its neighbour, a harmless one is kept. None for items without truth."""
    catalogue = Catalogue.load()

    def right(item: Item, text: str) -> bool:
        told = judge_rewritten(item, parse_rewrite(text, catalogue).rewrite or "", Response(""))
        return bool(told.neighbour if item.harmful else told.kept)

    def named(item: Item, text: str) -> bool:
        rewrite = parse_rewrite(text, catalogue)
        return rewrite.threat is not None and rewrite.policy == next(iter(item.citations), None)

    return _quality(decisions, right, named)


def _quality(decisions: Sequence[Decision], right: Check, cited: Check) -> Quality | None:
    known = [d for d in decisions if d.item.dataset == DATASET and d.item.truth]
    if not known:
        return None
    first = [(d.item, d.attempts[0].text) for d in known if d.attempts]
    kept = [(d.item, d.made.transcript) for d in known if d.made and d.fate in (Fate.KEPT, Fate.BALANCED_OUT)]
    rights = [(a.fall is None) for d in known for a in d.attempts if a.text and right(d.item, a.text)]
    return Quality(
        share(sum(right(*one) for one in first), len(first)),
        share(sum(right(*one) for one in kept), len(kept)),
        share(sum(rights), len(rights)),
        share(sum(cited(*one) for one in first), len(first)),
        share(sum(cited(*one) for one in kept), len(kept)),
    )
