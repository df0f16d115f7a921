"""One row of a list in full: the item, and of every record the parsed text, its citations, its reward and what judges said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reward import (
    behaviour,
    citation,
    consistency,
    format,
    harm,
    helpfulness,
    improvement,
    intent,
    laundering,
    length,
    template,
    threat,
    topic,
)
from rl_align.data.untrusted import shown
from rl_align.policy.catalogue import Catalogue
from rl_align.report.view import citing
from rl_align.report.view.lines import number
from rl_align.report.view.texts import runs
from rl_align.schema import Item, Seat
from rl_align.transcript.behaviour import misbehaviour
from rl_align.transcript.responder import parse_response
from rl_align.transcript.rewriter import MODALITIES, parse_rewrite

_RESPONDERS = (behaviour, citation, consistency, format, harm, helpfulness, length)
_REWRITERS = (improvement, intent, laundering, template, threat, topic)
#: Component → the range that its score is declared to lie in. Judged ones lie in [0, 1].
RANGES = {part.NAME: (part.LOW, part.HIGH) for part in (*_RESPONDERS, *_REWRITERS)}
#: Components of which more is worse.
WORSE = {harm.NAME}
_MAX_LIST = 40


def item_detail(item: Item | None, item_id: str, pictures: Sequence[str], catalogue: Catalogue, prompt: object) -> dict[str, Any]:
    """What was asked.

    Args:
        item: The item without its pictures; None where it is in no file of the run.
        item_id: Its id.
        pictures: Names of its pictures.
        catalogue: Policies.
        prompt: The prompt as a record has it, where the item is not known.
    """
    shared = {"id": shown(item_id, 150), "pictures": list(pictures)}
    if item is None:
        return {**shared, "known": False, "prompt": runs(prompt if isinstance(prompt, str) else "")}
    return {
        **shared,
        "known": True,
        "prompt": runs(item.prompt),
        "harmful": item.harmful,
        "expected": [b.value for b in item.expected],
        "modality": item.modality.value,
        "category": shown(item.category, 80),
        "dataset": shown(item.dataset, 80),
        "split": shown(item.split, 80),
        "licence": shown(item.licence, 80),
        "twin": shown(item.twin, 150),
        "citations": citing.described(item.citations, catalogue),
        "reference": runs(item.reference),
    }


def response_hop(text: object, item: Item | None, catalogue: Catalogue, prompt: object = None) -> dict[str, Any]:
    """A responder's text: its sections with citations marked and checked, and the behaviour it shows.

    Args:
        text: As the record has it.
        item: What was asked, where it is known.
        catalogue: Policies.
        prompt: The prompt that was answered, where the record has it; else it is the item's.
    """
    text = text if isinstance(text, str) else ""
    asked = prompt if isinstance(prompt, str) else None if item is None else item.prompt
    response = parse_response(text, catalogue, prompt=asked)
    parts = (
        ("think", "Thinking", response.think),
        ("description", "Image description", response.description),
        ("assessment", "Risk assessment", response.assessment),
        ("answer", "Answer", response.answer),
    )
    shows = response.behaviour.value if response.behaviour else None
    right = None if item is None or not item.expected or shows is None else misbehaviour(item.expected, response) is None
    return {
        "seat": Seat.RESPONDER.value,
        "blocks": _blocks(parts, item, catalogue),
        "raw": runs(text),
        "behaviour": {"shown": shows, "right": right, "fake": response.fake_refusal},
        "citations": citing.table(response.citations, item, catalogue),
        "problems": list(response.problems),
    }


def rewrite_hop(text: object, item: Item | None, catalogue: Catalogue) -> dict[str, Any]:
    """A rewriter's text likewise."""
    text = text if isinstance(text, str) else ""
    rewrite = parse_rewrite(text, catalogue)
    named = None if rewrite.threat is None else "\n".join(f"{m}: {rewrite.threat[m]}" for m in MODALITIES if m in rewrite.threat)
    parts = (("threat", "Threat", named), ("intent", "Intent", rewrite.intent), ("rewrite", "Rewritten prompt", rewrite.rewrite))
    policy = [rewrite.policy] if rewrite.policy else []
    return {
        "seat": Seat.REWRITER.value,
        "blocks": _blocks(parts, item, catalogue),
        "raw": runs(text),
        "behaviour": None,
        "citations": citing.table(policy, item, catalogue) if rewrite.threat is not None else [],
        "problems": list(rewrite.problems),
    }


def reward_detail(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reward of a rollout and its components; None for a record without any."""
    scores = row.get("breakdown")
    if not isinstance(scores, Mapping):
        return None
    components = []
    for name, value in list(scores.items())[:_MAX_LIST]:
        low, high = RANGES.get(name, (0.0, 1.0))
        score = number(value)
        if score is not None:
            low, high = min(low, score), max(high, score)
        components.append({"name": shown(name, 60), "score": score, "low": low, "high": high, "worse": name in WORSE})
    return {
        "reward": number(row.get("reward")),
        "advantage": number(row.get("advantage")),
        "gate": shown(row.get("gate"), 60),
        "kept": row.get("kept") if isinstance(row.get("kept"), bool) else None,
        "truth": number(row.get("truth")),
        "components": components,
    }


def judges_detail(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What judges said of a rollout."""
    told = row.get("judges")
    if not isinstance(told, Mapping):
        return []
    return [
        {
            "name": shown(name, 60),
            "label": shown(said.get("label"), 60),
            "score": number(said.get("score")),
            "reason": runs(str(said.get("reason") or ""), limit=2000),
        }
        for name, said in list(told.items())[:_MAX_LIST]
        if isinstance(said, Mapping)
    ]


def facts(row: Mapping[str, Any], names: Mapping[str, str]) -> list[list[str]]:
    """Plain fields of a record, those that it has, under names for people."""
    return [[title, shown(row[name], 80)] for name, title in names.items() if row.get(name) is not None]


def _blocks(parts: Sequence[tuple[str, str, str | None]], item: Item | None, catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {"id": id, "title": title, "text": runs(text, citing.marks(text, item, catalogue))}
        for id, title, text in parts
        if text is not None
    ]
