"""Whether what a text cites exists and applies: against the catalogue, and against the citations of the item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.policy.catalogue import Catalogue
from rl_align.policy.citations import locate_citations
from rl_align.report.view.texts import Mark
from rl_align.schema import Citation, Item

RIGHT, WRONG, INVENTED, UNCHECKED, MISSING = "right", "wrong", "invented", "unchecked", "missing"
#: The worst first: what a place is called that cites several rules.
_WORST = (INVENTED, WRONG, UNCHECKED, RIGHT)
_MEANS = {
    RIGHT: "applies here",
    WRONG: "exists, and does not apply here",
    INVENTED: "does not exist",
    UNCHECKED: "exists; what applies here is not known",
    MISSING: "applies here, and is not cited",
}
_MAX = 60


def check(citation: Citation, item: Item | None, catalogue: Catalogue) -> str:
    """RIGHT, WRONG, INVENTED, or UNCHECKED where neither rules nor harmlessness of the item are known.

    Where the item names a policy without a rule, any rule of it is right. A policy cited without a rule is right where one of its
    rules applies.
    """
    policy = catalogue.resolve(citation.policy)
    if policy is None or (citation.rule is not None and policy.rule(citation.rule) is None):
        return INVENTED
    if item is None or (not item.citations and item.harmful is not False):
        return UNCHECKED
    for wanted in item.citations:
        known = catalogue.resolve(wanted.policy)
        same = policy is known if known else citation.policy == wanted.policy
        if same and (wanted.rule is None or citation.rule in (None, wanted.rule)):
            return RIGHT
    return WRONG


def marks(text: str | None, item: Item | None, catalogue: Catalogue) -> list[Mark]:
    """Where a text cites, and how that is to be seen."""
    found = []
    for place in locate_citations(text or "", catalogue):
        kinds = {citation: check(citation, item, catalogue) for citation in place.citations}
        kind = min(kinds.values(), key=_WORST.index)
        hint = "; ".join(f"{shown(str(c), 80)}: {_MEANS[k]}" for c, k in list(kinds.items())[:4])
        found.append(Mark(place.start, place.end, kind, hint))
    return found


def table(cited: Sequence[Citation], item: Item | None, catalogue: Catalogue) -> list[dict[str, Any]]:
    """What is cited, each with its check, and what should have been."""
    rows = [_row(citation, check(citation, item, catalogue), catalogue) for citation in cited[:_MAX]]
    return rows + [_row(citation, MISSING, catalogue) for citation in _missing(cited, item, catalogue)]


def described(citations: Iterable[Citation], catalogue: Catalogue) -> list[dict[str, Any]]:
    """Citations of an item with the words of their rules."""
    return [_row(citation, RIGHT, catalogue) for citation in list(citations)[:_MAX]]


def _missing(cited: Sequence[Citation], item: Item | None, catalogue: Catalogue) -> list[Citation]:
    def named(citation: Citation) -> tuple[str, int | None]:
        policy = catalogue.resolve(citation.policy)
        return (policy.id if policy else citation.policy, citation.rule)

    exact = {named(c) for c in cited}
    policies = {policy for policy, _ in exact}
    wanted = [(named(c), c) for c in (item.citations if item else ())]
    return [c for (policy, rule), c in wanted if ((policy, rule) not in exact if rule is not None else policy not in policies)]


def _row(citation: Citation, kind: str, catalogue: Catalogue) -> dict[str, Any]:
    policy, rule = catalogue.resolve(citation.policy), catalogue.rule(citation)
    return {
        "name": shown(str(citation), 100),
        "kind": kind,
        "means": _MEANS[kind],
        "title": policy.title if policy else "",
        "rule": rule.text if rule else "",
        "action": rule.action.value if rule else "",
    }
