"""What a preset is: one question to a judge, its closed set of labels with their scores, and how the answer is read.

A preset says for each case whether there is something to ask. Where the policy left nothing to judge (no answer, no citation), that
is its own doing and earns the lowest score without a call; where the question does not arise, there is no opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reward.judges.config import JudgeConfig
from reward.judges.hardening import Hardening
from reward.judges.types import Ballot, Failure, JudgeUnscored, JudgeVerdict, Request, Shown, Why, unscored
from rl_align.endpoints.types import Completion
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item


@dataclass(frozen=True)
class Setting:
    """What a preset may read besides the case.

    Attributes:
        cfg: How the judge is asked.
        catalogue: Policies that cases refer to.
        hardening: How untrusted text gets into the prompt.
    """

    cfg: JudgeConfig
    catalogue: Catalogue
    hardening: Hardening


class Preset(Protocol):
    """One question to a judge.

    Attributes:
        name: Of the preset; its component is called `judge_<name>`.
        labels: Label → score, the lowest score first.
        ordinal: Whether the labels are degrees of one thing, so that a median of votes means something.
    """

    name: str
    labels: Mapping[str, float]
    ordinal: bool

    def request(self, item: Item, shown: Shown, setting: Setting) -> Request | JudgeVerdict | JudgeUnscored:
        """What to ask, or the opinion where there is nothing to ask.

        Raises:
            OSError: An image cannot be read.
            UserError: A template or the key of fences is unusable.
        """
        ...

    def version(self, cfg: JudgeConfig) -> str:
        """Of the prompt: calibrations of another version say nothing. Raises UserError when a template is unusable."""
        ...

    def read(self, completion: Completion) -> Ballot | Failure:
        """The vote that an answer of the judge is. Never raises."""
        ...


def bounds(preset: Preset) -> tuple[float, float]:
    """The declared range of a preset's scores."""
    return min(preset.labels.values()), max(preset.labels.values())


def nothing_shown(preset: Preset, what: str) -> JudgeVerdict:
    """The lowest score: the policy left nothing to judge."""
    return JudgeVerdict(bounds(preset)[0], what)


def not_applicable(what: str) -> JudgeUnscored:
    """No opinion: the question does not arise."""
    return unscored(Why.NOT_APPLICABLE, what)
