"""The other models of a defence: who plays guard, detector, rewriter or scorer.

Inspect's roles say it (`--model-role guard=openai/…`, or `"guard={model: rl_align/name, model_args: {base_url: http://…/v1}}"`), or
the solver's own arguments (`-S guard_model=rl_align/name -S guard_base_url=http://…/v1`), which win. The evaluated model guards
itself only where it is asked to (`-S guard_model=target`). Keys come from the environment, as Inspect's providers read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspect_ai.model import Model, get_model, model_roles
from inspect_ai.util import LimitExceededError

from rl_align.errors import UserError
from rl_align.eval.defences.ledger import bounded

#: Names the model under evaluation in place of a partner.
TARGET = "target"
#: What failed when a call failed.
CALL = "call"


class PartnerFailed(Exception):
    """A part of a defence has no result. It says nothing about the sample, so it must never pass for a safe answer.

    Args:
        role: Who failed: guard, detector, rewriter, scorer, target (where it judges itself), ocr.
        reason: `call`, or why its answer cannot be used.
        detail: For the person who reads it.
    """

    def __init__(self, role: str, reason: str, detail: str = ""):
        super().__init__(role, reason, bounded(detail, 600))
        self.role, self.reason, self.detail = self.args

    def __str__(self) -> str:
        return f"the defence's {self.role} failed ({self.reason}): {self.detail}"


@dataclass(frozen=True)
class Partner:
    """Who plays a role.

    Attributes:
        role: Name of the role, Inspect's and ours.
        model: Inspect's name of a model, a model, or TARGET; None leaves it to Inspect's roles.
        base_url: Where `model` is served, where its name does not say it.
    """

    role: str
    model: str | Model | None = None
    base_url: str | None = None

    def __post_init__(self) -> None:
        if self.base_url and (not isinstance(self.model, str) or self.model == TARGET):
            fix = f"name the model that is served there: -S {self.role}_model=rl_align/name"
            raise UserError("is an address without a model", where=f"{self.role}_base_url", fix=fix)

    def resolve(self) -> Model:
        """The model. Only within a running sample, as roles are known there.

        Raises:
            UserError: Nobody plays the role.
        """
        if self.model == TARGET:
            return get_model()
        if self.model is not None:
            return get_model(self.model, base_url=self.base_url)
        if self.role not in model_roles():
            fix = f"pass --model-role {self.role}=…, or -S {self.role}_model=…; `{TARGET}` is the evaluated model itself"
            raise UserError(f"this defence needs a model in the role {self.role!r}, and there is none", fix=fix)
        return get_model(role=self.role)


def ends_the_sample(error: BaseException) -> bool:
    """Whether an error is Inspect's way to end a sample, and nobody's failure."""
    return isinstance(error, LimitExceededError) or type(error).__name__ in ("TerminateSampleError", "TerminateTaskError")
