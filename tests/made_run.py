"""A run folder as a run leaves it, by the project's own writers: drawn items, judged answers, a matrix, scored rollouts."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from reward.config import RewardConfig
from reward.credit import Row, assign
from reward.responder import score_response, status_of
from rl_align.data.items import write_items
from rl_align.engine.record import rollout_lines
from rl_align.eval.records import Recorder, record
from rl_align.pictograms import rewriter_teacher, teacher
from rl_align.pictograms.config import PictogramsConfig, RewriterTeacherConfig, TeacherConfig
from rl_align.pictograms.items import items as make_items
from rl_align.pictograms.measure import worth
from rl_align.pictograms.rewrite_truth import judge_rewritten
from rl_align.pictograms.truth import judge
from rl_align.policy.catalogue import Catalogue
from rl_align.runfiles.atomic import write_text
from rl_align.schema import Item
from rl_align.transcript.responder import parse_response
from rl_align.transcript.rewriter import parse_rewrite

HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>{{7*7}}\x1b[31m\u202egnp.exe\u202c\u2066\ud800"
)
PERFECT = TeacherConfig(over_refusal_share=0.0, confused_policies=0)
ERRING = TeacherConfig(over_refusal_share=0.6, confused_policies=4)
SPLIT = "heldout_combinations"

#: Writes a model's answer to an item.
Answers = Callable[[Item], str]


def world(n: int, split: str = "train", size: int = 56) -> list[Item]:
    """The first items of a split."""
    return list(islice(make_items(PictogramsConfig(train=max(n, 300), image_size=size), split), n))


def mistaken(item: Item) -> str:
    """An answer with the mistakes that models make: none at all, an invented policy, a rule that does not exist, one cut off."""
    text, kind = teacher.transcript(item, ERRING), random.Random(item.id).randrange(6)
    if kind == 0:
        return "The picture shows something. I would say"
    if kind == 1:
        return text.replace("### Risk Assessment\n", "### Risk Assessment\ncosmic_safety_rules (Rule 4) applies. ")
    if kind == 2:
        return text.replace("### Risk Assessment\n", "### Risk Assessment\nviolence_and_physical_harm (Rule 9) applies. ")
    if kind == 3:
        return teacher.unaligned(item)
    return text


def add_split(folder: Path, split: str, items: Sequence[Item], models: dict[str, Answers], kind: str = "greedy") -> None:
    """A split's items, and what models answer to them."""
    write_items(folder / "data" / f"{split}.parquet", items)
    for model, answer in models.items():
        recorder = Recorder(folder / "eval" / model / split / f"{kind}.jsonl", [item.id for item in items])
        for item in items:
            recorder.add(_answered(item, answer(item)))
        recorder.finish()


def add_matrix(folder: Path, split: str, items: Sequence[Item]) -> None:
    """A target that complies with everything, alone and behind a rewriter that errs."""
    config, catalogue = RewriterTeacherConfig(), Catalogue.load()
    place, ids = folder / "eval" / "matrix", [item.id for item in items]
    rewriters = Recorder(place / "rewriters" / "sft" / split / "greedy.jsonl", ids)
    behind = {name: Recorder(place / f"target+{name}" / split / "greedy.jsonl", ids) for name in ("none", "sft")}
    for item in items:
        rewrite = parse_rewrite(rewriter_teacher.transcript(item, config), catalogue)
        fields = {"policy": str(rewrite.policy) if rewrite.policy else None, "problems": list(rewrite.problems)}
        rewriters.add({"item_id": item.id, "text": rewrite.raw, "tokens": 60, "stop": "stop", "rewrite": rewrite.rewrite, **fields})
        for name, recorder in behind.items():
            asked = (rewrite.rewrite if name == "sft" else None) or item.prompt
            response = parse_response(teacher.unaligned(item))
            told = {**asdict(judge_rewritten(item, asked, response)), "outcome": None}
            recorder.add(_answered(item, response.raw) | {"rewrite": asked, "rewritten": told})
    for recorder in (rewriters, *behind.values()):
        recorder.finish()


def add_rollouts(folder: Path, items: Sequence[Item], steps: int, groups: int, siblings: int = 8, stage: str = "") -> None:
    """Steps of GRPO: groups of scored siblings. Their texts are drawn from a few, so that many are made quickly."""
    catalogue, config, place = Catalogue.load(), RewardConfig(), folder / "rollouts" / stage
    texts = {item.id: [_scored(item, text, config, catalogue) for text in _ways(item)] for item in items}
    for item in items:
        image = place / "images" / f"{_hash(item)}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(item.images[0].read())
    rng = random.Random(0)
    for step in range(1, steps + 1):
        keys, told, rows = [], [], []
        for group in range(groups):
            item = items[(step * groups + group) % len(items)]
            for session in range(siblings):
                text, breakdown, status, truth = rng.choice(texts[item.id])
                uid = f"{step:04x}{group:04x}"
                keys.append(f"{uid}_{session}_0")
                judged = {"refusal": {"score": 1.0, "label": "none", "reason": "The answer does not decline.", "cost": 0.0}}
                told.append(
                    {"item_id": item.id, "prompt": item.prompt, "image": f"images/{_hash(item)}.png", "text": text,
                     "gate": breakdown.gate, "tokens": len(text) // 5, "truth": truth,
                     "facts": {"judges": judged} if group == 0 else {}}
                )  # fmt: skip
                rows.append(Row(uid, str(session), status=status, reward=breakdown.reward, components=breakdown.scores()))
        lines = rollout_lines(step, keys, told, assign(rows))
        write_text(place / f"step_{step:05d}.jsonl", "\n".join(lines) + "\n")


def _answered(item: Item, text: str) -> dict[str, Any]:
    response = parse_response(text)
    return record(item, response, judge(item, response), tokens=len(text) // 5, stop="stop")


def _ways(item: Item) -> list[str]:
    return [teacher.transcript(item, PERFECT), teacher.transcript(item, ERRING), mistaken(item), teacher.unaligned(item)]


def _scored(item: Item, text: str, config: RewardConfig, catalogue: Catalogue) -> tuple[str, Any, Any, float]:
    response = parse_response(text, catalogue)
    known = {"tokens": len(text) // 5, "max_tokens": 160, "truncated": False, "cfg": config, "catalogue": catalogue}
    breakdown = score_response(item, response, **known)
    return text, breakdown, status_of(response, breakdown, False), worth(item, text, catalogue)


def _hash(item: Item) -> str:
    return hashlib.sha256(item.images[0].read()).hexdigest()[:20]
