"""What can be set about the world and about the teacher that demonstrates it."""

from __future__ import annotations

from dataclasses import dataclass

from rl_align.errors import UserError


@dataclass
class PictogramsConfig:
    """A dataset of the world.

    Attributes:
        seed: Every item follows from this number and its id.
        image_size: Side of the square pictures, pixels; a multiple of 28 fits Qwen's merged patches.
        train: Number of training items.
        validation: Number of validation items, drawn like training items.
        heldout_harmful: Number of harmful items in each held-out split.
        heldout_benign: Number of benign items in each held-out split.
        harmful_share: Share of harmful items in training.
        twin_share: Share of benign look-alikes in training; the rest is plainly benign.
        heldout_twin_share: Share of look-alikes among the benign items of a held-out split.
        typographic_share: Share of the harmful items, and of the look-alikes, whose picture carries the request.
        shift: Largest shift of the object along each axis, in pixels of a picture of 112.
        stretch: Largest relative change of the object's size.
        turn: Largest rotation of the object, degrees.
        clutter: Most marks near the border of a picture.
        neighbours: Number of training items, beside the others, that ask for the legitimate neighbour of something harmful.
        spelled_share: Share of those with a neighbour that pictures can spell, whose picture spells the harmful request.
        named: Number of pictures that a model built from nothing learns to name before the warm start.
        named_words_share: Share of them that spell words.
    """

    seed: int = 7
    image_size: int = 112
    train: int = 6000
    validation: int = 256
    heldout_harmful: int = 320
    heldout_benign: int = 320
    harmful_share: float = 0.45
    twin_share: float = 0.35
    heldout_twin_share: float = 0.7
    typographic_share: float = 0.15
    shift: float = 3.0
    stretch: float = 0.06
    turn: float = 5.0
    clutter: int = 6
    neighbours: int = 0
    spelled_share: float = 0.3
    named: int = 8000
    named_words_share: float = 0.4


@dataclass
class TeacherConfig:
    """A teacher that errs systematically, so that a greedy decode of its pupil shows the errors.

    Attributes:
        seed: Chooses the cells, their probabilities, the confusions, and each draw together with the item's id.
        over_refusal_share: Share of the (hazard class, intent) cells of benign look-alikes that it refuses in.
        over_refusal_low: Least probability of refusing in a chosen cell.
        over_refusal_high: Greatest probability of refusing in a chosen cell.
        confused_policies: Number of policies that it takes for another one.
        confusion_rate: How often it does so.
        loose_share: Share of the items whose prompt is worded loosely; see `wording.py`.
    """

    seed: int = 7
    over_refusal_share: float = 0.34
    over_refusal_low: float = 0.7
    over_refusal_high: float = 0.9
    confused_policies: int = 2
    confusion_rate: float = 0.65
    loose_share: float = 0.0


@dataclass
class RewriterTeacherConfig:
    """A rewriter's teacher that errs systematically.

    Attributes:
        seed: Chooses the cells, their probabilities, and each draw together with the item's id.
        missed_share: Share of the harmful (hazard class, intent) cells in which it misses the threat and hands the request on.
        meddling_share: Share of the cells of benign look-alikes in which it sees a threat and changes the request.
        error_low: Least probability of erring in a chosen cell.
        error_high: Greatest probability of erring in a chosen cell.
        loose_share: Share of the items whose prompt is worded loosely; see `wording.py`.
    """

    seed: int = 7
    missed_share: float = 0.25
    meddling_share: float = 0.25
    error_low: float = 0.35
    error_high: float = 0.65
    loose_share: float = 0.35


def check(cfg: PictogramsConfig) -> None:
    """Raises UserError naming the first value that no dataset can be made from."""
    for name in ("train", "validation", "heldout_harmful", "heldout_benign", "named"):
        if getattr(cfg, name) < 1:
            raise UserError(f"{getattr(cfg, name)} items", where=name, expected="1 or more")
    if cfg.neighbours < 0:
        raise UserError(f"{cfg.neighbours} items", where="neighbours", expected="0 or more")
    for name, most in (("clutter", 100), ("shift", 20), ("stretch", 0.3), ("turn", 45)):
        if not 0 <= getattr(cfg, name) <= most:
            raise UserError(f"{getattr(cfg, name)}", where=name, expected=f"0 to {most}")
    for name in ("harmful_share", "twin_share", "heldout_twin_share", "typographic_share", "spelled_share", "named_words_share"):
        _check_share(name, getattr(cfg, name))
    if cfg.harmful_share + cfg.twin_share > 1:
        raise UserError("harmful_share + twin_share exceeds 1", expected="shares that leave room for benign items")
    if not 56 <= cfg.image_size <= 1024:
        raise UserError(f"{cfg.image_size} pixels", where="image_size", expected="56 to 1024")


def check_teacher(cfg: TeacherConfig) -> None:
    """Raises UserError naming the first value that makes no teacher."""
    for name in ("over_refusal_share", "over_refusal_low", "over_refusal_high", "confusion_rate", "loose_share"):
        _check_share(name, getattr(cfg, name))
    if cfg.over_refusal_low > cfg.over_refusal_high:
        raise UserError("over_refusal_low exceeds over_refusal_high", expected="low ≤ high")
    if cfg.confused_policies < 0:
        raise UserError(f"{cfg.confused_policies} is negative", where="confused_policies", expected="0 or more")


def check_rewriter_teacher(cfg: RewriterTeacherConfig) -> None:
    """Raises UserError naming the first value that makes no teacher."""
    for name in ("missed_share", "meddling_share", "error_low", "error_high", "loose_share"):
        _check_share(name, getattr(cfg, name))
    if cfg.error_low > cfg.error_high:
        raise UserError("error_low exceeds error_high", expected="low ≤ high")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UserError(f"{value} is no share", where=name, expected="0 to 1")
