"""The nouns of synthesis: an attempt at a row, where it fell, and what became of an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rl_align.errors import EngineFailed
from rl_align.schema import Item

#: Details quote models; a record stays readable whatever it quotes.
DETAIL_CHARS = 300


class Fate(str, Enum):
    """What became of an item. A closed set; every item of a run has one."""

    KEPT = "kept"
    REJECTED = "rejected"
    BALANCED_OUT = "balanced_out"
    FAILED = "failed"
    UNDECIDED = "undecided"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Fall:
    """Where and why something ended.

    Attributes:
        stage: One of the pipeline's stages.
        reason: Short snake_case code; equal ones are counted together.
        detail: What was seen, for a person; bounded and printable.
    """

    stage: str
    reason: str
    detail: str = ""


class Fell(Exception):
    """An attempt did not pass: the model's own doing. Another attempt may."""

    def __init__(self, stage: str, reason: str, detail: str = ""):
        super().__init__(stage, reason, detail)
        self.fall = Fall(stage, reason, printable(detail))


class PartnerFailed(Exception):
    """A model gave no answer. It says nothing about the item, which is asked for again by the next run of the command."""

    def __init__(self, stage: str, reason: str, detail: str = ""):
        super().__init__(stage, reason, detail)
        self.fall = Fall(stage, reason, printable(detail))


class Stopped(EngineFailed):
    """The run ends before its end: the budget is spent, or too many calls fail. What is decided is written."""


@dataclass
class Trial:
    """An attempt under way.

    Attributes:
        number: From 1.
        text: The transcript as the model wrote it, as soon as there is one.
    """

    number: int
    text: str = ""


@dataclass(frozen=True)
class Made:
    """What an attempt that passed brings: the transcript to learn, and what judges said (name → label)."""

    transcript: str
    scores: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """An attempt that ended.

    Attributes:
        number: From 1.
        text: The transcript as the model wrote it; empty when it got as far as none.
        fall: Where it fell; None when it passed.
    """

    number: int
    text: str
    fall: Fall | None


@dataclass(frozen=True)
class Decision:
    """What became of one item.

    Attributes:
        item: The item.
        category: What it is counted and balanced under.
        fate: What became of it.
        attempts: In order.
        made: What is kept, or would be but for the balance.
        fall: Why it is not kept; None when it is.
    """

    item: Item
    category: str
    fate: Fate
    attempts: tuple[Attempt, ...] = ()
    made: Made | None = None
    fall: Fall | None = None


def printable(text: str) -> str:
    """One line of at most `DETAIL_CHARS` characters without control characters: it may be shown on a terminal."""
    line = " ".join(text[: 4 * DETAIL_CHARS].split())[:DETAIL_CHARS]
    return "".join(c if c.isprintable() else "?" for c in line)
