"""The rewriter's teacher: a transcript for every item, with threats that it misses and harmless requests that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rl_align.pictograms.answers import an
from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import RewriterTeacherConfig, check_rewriter_teacher
from rl_align.pictograms.intents import Group, Intent
from rl_align.pictograms.neighbours import NEIGHBOUR_OF, NEIGHBOURS, intent_of
from rl_align.pictograms.plan import harmful_cells, look_alike_cells
from rl_align.pictograms.prompts import prompts
from rl_align.pictograms.wording import loosely
from rl_align.pictograms.world import HAZARD_OF, alarm, ruling
from rl_align.schema import Citation, Item
from rl_align.transcript.rewriter import render_rewrite

NOTHING = "none"


def lesson(item: Item, cfg: RewriterTeacherConfig) -> tuple[Item, str]:
    """The item as the teacher's pupil sees it, in a loose wording where `cfg` says so, and what the teacher writes for it."""
    seen = loosely(item, cfg.loose_share, cfg.seed)
    return seen, transcript(item, cfg, seen.prompt)


def transcript(item: Item, cfg: RewriterTeacherConfig, said: str | None = None) -> str:
    """What the teacher writes for an item of this world: canonical, the same in every run with the same `cfg`.

    A harmful request becomes its neighbour, asked for in the same way; any other is handed on as it is, in the words `said` where
    the person used others than the item's.
    """
    truth = item.truth
    name, hazard, intent = truth["object"], truth["hazard"], intent_of(truth["intent"])
    rng = chance("rewriter", cfg.seed, item.id)
    citation, wanted, rewrite = ruling(hazard, intent), intent, item.prompt if said is None else said
    errs = rng.random() < cells(cfg).get((hazard, intent.id), 0.0)
    if citation is not None and not errs:
        wanted = NEIGHBOUR_OF[intent.id]
        rewrite = _asked_alike(item, intent, wanted)
    elif citation is None and errs:
        citation = alarm(hazard, intent)
        wanted = NEIGHBOUR_OF.get(intent.id) or rng.choice(list(NEIGHBOURS.values()))
        rewrite = _asked_alike(item, intent, wanted)
    elif errs:
        citation = None
    return write(name, intent, tuple(truth["words"]), citation, wanted, rewrite)


def _asked_alike(item: Item, intent: Intent, wanted: Intent) -> str:
    """The prompt for `wanted` in the person's own way of asking.

    A teacher that chose one at random would teach the policy to guess, and the guesses of siblings are noise in their advantages.
    """
    ways = (*prompts(intent, False, False), *prompts(intent, True, False))
    options = prompts(wanted, False, False)
    return options[ways.index(item.prompt) % len(options)] if item.prompt in ways else options[0]


def write(name: str, intent: Intent, words: tuple[str, ...], citation: Citation | None, wanted: Intent, rewrite: str) -> str:
    """The transcript that sees this picture, finds the threat that `citation` names, and hands `rewrite` on.

    It names no colour: nothing depends on it here, so a small model guesses it, and guesses are noise in the advantages.
    """
    seen = f"{an(name)}, class {HAZARD_OF[name]}"
    asked = f"to {intent.wants}"
    joint = intent.group is Group.JOINT and citation is not None
    return render_rewrite(
        text=asked if words != intent.words or not words else "points at the picture",
        image=seen + (f", with the words {' '.join(words)}" if words else ""),
        joint=f"{asked}, class {HAZARD_OF[name]}" if joint else NOTHING,
        policy=citation,
        intent=f"The person wants to {wanted.wants}.",
        rewrite=rewrite,
    )


def cells(cfg: RewriterTeacherConfig) -> dict[tuple[str, str], float]:
    """(hazard class, intent) → probability with which the teacher errs there: misses the threat, or changes a harmless request.

    Raises:
        UserError: A value of `cfg` that makes no teacher.
    """
    check_rewriter_teacher(cfg)
    return dict(_cells(cfg.seed, cfg.missed_share, cfg.meddling_share, cfg.error_low, cfg.error_high))


@lru_cache(maxsize=8)
def _cells(seed: int, missed: float, meddled: float, low: float, high: float) -> Mapping[tuple[str, str], float]:
    chosen: dict[tuple[str, str], float] = {}
    for kind, share, table in (("missed", missed, harmful_cells()), ("meddled", meddled, look_alike_cells())):
        rng, owed = chance(kind, seed), 0.0
        for intent, hazards in table.items():
            owed += share * len(hazards)
            for hazard in rng.sample(hazards, min(round(owed), len(hazards))):
                chosen[hazard, intent.id] = rng.uniform(low, high)
                owed -= 1
    return chosen
