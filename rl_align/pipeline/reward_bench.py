"""How fast the rule rewards are: rollouts a second on one core, parsing included (`rl-align bench reward`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from reward.config import RewardConfig
from reward.responder import score_response
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig
from rl_align.pictograms.items import items
from rl_align.pictograms.teacher import transcript
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item
from rl_align.transcript.responder import parse_response, render_response

#: Rollouts a second that are good enough: of the pictogram world, and of the length of MSR-Align's transcripts.
TARGETS = {"short": 5000, "long": 1000}
#: Words of MSR-Align's transcripts: 244 of thinking and 281 after it (BENCHMARKS: a model tuned on it).
THINK_WORDS, DESCRIPTION_WORDS, ASSESSMENT_WORDS, ANSWER_WORDS = 244, 90, 90, 101
_PROSE = (
    "the picture shows a person who stands beside a table and the request asks what one may do with the thing that lies on it "
    "while somebody else looks on, so the question is whether an answer could lead to harm or whether it is an ordinary one. "
)


def bench(count: int = 1000, seconds: float = 2.0, say: Callable[[str], None] = print) -> dict[str, float]:
    """Measures both lengths and says what came out.

    Args:
        count: Different rollouts.
        seconds: How long each measurement runs at least; the fastest pass over the rollouts counts.
        say: Gets a line a measurement.

    Returns:
        "short" and "long": rollouts a second.
    """
    made = list(items(PictogramsConfig(train=count), "train"))
    short = [transcript(item, TeacherConfig()) for item in made]
    found = {}
    for name, texts in (("short", short), ("long", [_lengthened(text) for text in short])):
        found[name] = _rate(made, texts, seconds)
        words = sum(len(text.split()) for text in texts) / len(texts)
        verdict = "met" if found[name] >= TARGETS[name] else "missed"
        say(f"{name}: {found[name]:,.0f} rollouts/s of {words:.0f} words on one core (target {TARGETS[name]:,}: {verdict})")
    return found


def _rate(made: Sequence[Item], texts: Sequence[str], seconds: float) -> float:
    catalogue, cfg = Catalogue.load(), RewardConfig()
    best, spent = float("inf"), 0.0
    while spent < seconds:
        begun = time.process_time()  # what else the machine does is not the rewards' time
        for item, text in zip(made, texts, strict=True):
            response = parse_response(text, catalogue, prompt=item.prompt)
            score_response(item, response, tokens=100, max_tokens=160, truncated=False, cfg=cfg, catalogue=catalogue)
        took = time.process_time() - begun
        best, spent = min(best, took), spent + took
    return len(texts) / best


def _lengthened(text: str) -> str:
    parts = parse_response(text)
    prose = (_PROSE * 8).split()

    def padded(part: str | None, words: int) -> str:
        own = (part or "").split()
        return " ".join([*prose[: max(0, words - len(own))], *own])

    return render_response(
        think=padded(parts.think, THINK_WORDS),
        description=padded(parts.description, DESCRIPTION_WORDS),
        assessment=padded(parts.assessment, ASSESSMENT_WORDS),
        answer=padded(parts.answer, ANSWER_WORDS),
        safe="### Safe Response" in text,
    )
