"""The judge's part: questions by preset, each with the lowest label that passes."""

from __future__ import annotations

from collections.abc import Mapping

from reward.judges.hardening import Hardening
from reward.judges.judge import judge
from reward.judges.preset import Preset
from reward.judges.presets import PRESETS
from reward.judges.types import JudgeUnscored, JudgeVerdict, Shown, Why
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item
from rl_align.synthesis.config import AxisConfig
from rl_align.synthesis.partner import Partner
from rl_align.synthesis.types import Fell, PartnerFailed, Trial

STAGE = "judge"


class Axes:
    """The questions of a pipeline, in their order.

    Args:
        axes: Preset → what passes.
        partner: The judge.
        key: Secret of the fences: the same one in every run into a folder, or the record of answers would not be found again.
        catalogue: Policies that cases refer to.

    Raises:
        UserError: No questions, an unknown preset, or a label that it has not.
    """

    def __init__(self, axes: Mapping[str, AxisConfig], partner: Partner, key: bytes, catalogue: Catalogue):
        if not axes:
            raise UserError("no judge is asked", where="axes", expected="presets with the lowest label that passes")
        for name in axes:
            if name not in PRESETS:
                raise UserError("no such judge", where=f"axes.{name}", expected=f"one of {', '.join(PRESETS)}")
        self.presets: dict[str, Preset] = {name: PRESETS[name] for name in axes}
        for name, axis in axes.items():
            if axis.least not in self.presets[name].labels:
                labels = ", ".join(self.presets[name].labels)
                raise UserError(f"is {axis.least!r}", where=f"axes.{name}.least", expected=f"one of {labels}")
        self._axes, self._partner, self._catalogue = axes, partner, catalogue
        self._fences = {name: Hardening(key, axis.judge.max_chars, axis.judge.special_tokens) for name, axis in axes.items()}

    async def ask(self, name: str, item: Item, shown: Shown, trial: Trial) -> JudgeVerdict | None:
        """One opinion; None where the question does not arise.

        Raises:
            Fell: The judge answered, and its answer holds no verdict: the same question would be answered so again.
            PartnerFailed: The judge did not answer.
        """
        completer = self._partner.asked(item.id, trial.number, f"{STAGE}/{name}")
        asked = {"catalogue": self._catalogue, "hardening": self._fences[name]}
        opinion = await judge(self.presets[name], item, shown, completer, self._axes[name].judge, **asked)
        if isinstance(opinion, JudgeVerdict):
            return opinion
        if opinion.reason == Why.NOT_APPLICABLE.value:
            return None
        raise _unscored(name, opinion)

    def passes(self, name: str, opinion: JudgeVerdict) -> bool:
        """Whether an opinion is good enough."""
        return opinion.score >= self.presets[name].labels[self._axes[name].least]

    def require(self, name: str, opinion: JudgeVerdict) -> None:
        """Raises Fell for an opinion that is not good enough."""
        if not self.passes(name, opinion):
            said = f"{opinion.label or opinion.score}, at least {self._axes[name].least}: {opinion.reason}"
            raise Fell(STAGE, f"{name}_too_low", said)


def _unscored(name: str, opinion: JudgeUnscored) -> Exception:
    if opinion.usage.votes > opinion.usage.answered:
        return PartnerFailed(STAGE, f"judge_{opinion.reason}", opinion.detail)
    return Fell(STAGE, f"{name}_unscored_{opinion.reason}", opinion.detail)
