"""The nouns of rl_align. A leaf: it imports nothing but the standard library (Pillow only when an image is decoded)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


class _Name(str, Enum):
    def __str__(self) -> str:
        return self.value


class Seat(_Name):
    """Which of the two policies produced a text."""

    REWRITER = "rewriter"
    RESPONDER = "responder"


class Behaviour(_Name):
    """What an answer does. A closed set."""

    COMPLY = "comply"
    SAFE_COMPLETE = "safe_complete"
    REFUSE = "refuse"


class Action(_Name):
    """What a policy rule demands of the answer."""

    REFUSE = "refuse"
    EDUCATE = "educate"
    REDIRECT = "redirect"
    TONE_DOWN = "tone_down"
    VERIFY = "verify"
    COMPLY_WITH_CARE = "comply_with_care"


#: The behaviour that carries out each action.
ACTION_BEHAVIOUR: Mapping[Action, Behaviour] = {
    Action.REFUSE: Behaviour.REFUSE,
    Action.EDUCATE: Behaviour.SAFE_COMPLETE,
    Action.REDIRECT: Behaviour.SAFE_COMPLETE,
    Action.TONE_DOWN: Behaviour.SAFE_COMPLETE,
    Action.VERIFY: Behaviour.SAFE_COMPLETE,
    Action.COMPLY_WITH_CARE: Behaviour.COMPLY,
}


class RiskModality(_Name):
    """Where the risk of an item comes from."""

    NONE = "none"
    TEXT = "text"
    IMAGE = "image"
    JOINT = "joint"


class Status(_Name):
    """How a rollout ended. What each status means for credit is in `STATUS_RULES`."""

    OK = "ok"
    TRUNCATED = "truncated"
    PARSE_ERROR = "parse_error"
    PARTNER_ERROR = "partner_error"
    JUDGE_UNSCORED = "judge_unscored"
    TIMEOUT = "timeout"
    DATA_ERROR = "data_error"


@dataclass(frozen=True)
class StatusRule:
    """What a status means for a rollout.

    Attributes:
        in_baseline: Whether it joins its group's baseline.
        gets_advantage: Whether it may get an advantage.
        counted: Whether it is counted by its status.
        retried: Whether what failed is tried again before the rollout has this status: by the endpoint that is asked, up to its
            `attempts` and `deadline_s`. The rollout itself is not sampled again.
    """

    in_baseline: bool
    gets_advantage: bool
    counted: bool
    retried: bool


#: `TRUNCATED` is the default row; configuration may mask it instead of penalising it (`grpo.mask_truncated`).
STATUS_RULES: Mapping[Status, StatusRule] = {
    Status.OK: StatusRule(True, True, True, False),
    Status.TRUNCATED: StatusRule(True, True, True, False),
    Status.PARSE_ERROR: StatusRule(True, True, True, False),
    Status.PARTNER_ERROR: StatusRule(False, False, True, True),
    Status.JUDGE_UNSCORED: StatusRule(False, False, True, True),
    Status.TIMEOUT: StatusRule(False, False, True, True),
    Status.DATA_ERROR: StatusRule(False, False, True, False),
}


@dataclass(frozen=True, order=True)
class Citation:
    """A policy rule named by a text. `policy` is a canonical catalogue id when `known`, else the text as written."""

    policy: str
    rule: int | None = None
    known: bool = True

    def __str__(self) -> str:
        return self.policy if self.rule is None else f"{self.policy} (Rule {self.rule})"


@dataclass(frozen=True)
class Rule:
    """One numbered rule of a policy and the action it demands. `number` counts from 1."""

    number: int
    text: str
    action: Action


@dataclass(frozen=True)
class Policy:
    """A safety policy: an objective and numbered rules."""

    id: str
    title: str
    objective: str
    rules: tuple[Rule, ...]
    aliases: tuple[str, ...] = ()

    def rule(self, number: int) -> Rule | None:
        """The rule with this number, or None."""
        return next((r for r in self.rules if r.number == number), None)


@dataclass(frozen=True)
class ImageRef:
    """An image by bytes or by path; decoded only when asked for."""

    data: bytes | None = None
    path: str | None = None

    def read(self) -> bytes:
        """The encoded bytes. Raises OSError when the path cannot be read."""
        return self.data if self.data is not None else Path(self.path or "").read_bytes()

    def decode(self) -> Image:
        """The decoded image. Raises OSError (Pillow's UnidentifiedImageError is one) on broken input."""
        import io

        from PIL import Image

        image = Image.open(io.BytesIO(self.read()))
        image.load()
        return image


@dataclass(frozen=True)
class Item:
    """One task: what a person shows and asks, and what a right answer does.

    Attributes:
        id: Unique within a dataset.
        images: Zero or more images, in the order in which the prompt refers to them.
        prompt: What the person asks. No chat template, no image markers.
        dataset: Name of the source.
        split: Name of the split.
        expected: Behaviours that are right; empty when unknown.
        citations: Policy rules that apply; empty on benign items.
        harmful: Whether a full answer would do harm; None when unknown.
        modality: Where the risk comes from.
        reference: A right answer in words (rewards may read it); None when there is none.
        rejected: An unsafe answer in words, such as the rejected one of a preference pair (rewards may read it); None when there is
            none.
        twin: Id of the item that looks like this one and differs in harm.
        category: The source's own name for the kind of item.
        licence: SPDX id or the source's own words.
        provenance: Where the item comes from.
        truth: Exact ground truth of procedural worlds. For measurement only: rewards never see it.
    """

    id: str
    images: tuple[ImageRef, ...]
    prompt: str
    dataset: str
    split: str
    expected: tuple[Behaviour, ...] = ()
    citations: tuple[Citation, ...] = ()
    harmful: bool | None = None
    modality: RiskModality = RiskModality.NONE
    reference: str | None = None
    rejected: str | None = None
    twin: str | None = None
    category: str | None = None
    licence: str = "unknown"
    provenance: str = ""
    truth: Mapping[str, Any] = field(default_factory=dict)

    @property
    def policies(self) -> tuple[str, ...]:
        """Ids of the policies that apply, in order, without repetition."""
        return tuple(dict.fromkeys(c.policy for c in self.citations))


@dataclass(frozen=True)
class Response:
    """A parsed text of the responder. Parsing never fails: what is wrong stands in `problems`.

    Attributes:
        raw: The text as generated.
        think: What stands between the thinking tags; None when they are missing.
        description: Text of the image description section; None when missing.
        assessment: Text of the risk assessment section; None when missing.
        answer: The final answer handed to the person; None when no answer heading was found.
        citations: Rules cited in the risk assessment section, in order, without repetition.
        behaviour: What the answer does; None when there is no answer to look at.
        fake_refusal: Whether the answer declines and then delivers after all; its behaviour is COMPLY.
        declines: Whether the whole of the request is declined in words.
        redirects: Whether the answer declines, and offers or advises something.
        evades: Whether it only fails to answer, without a stand on the request.
        stray: What stands outside thinking and sections.
        problems: Names of departures from the grammar; empty for a well-formed text.
    """

    raw: str
    think: str | None = None
    description: str | None = None
    assessment: str | None = None
    answer: str | None = None
    citations: tuple[Citation, ...] = ()
    behaviour: Behaviour | None = None
    problems: tuple[str, ...] = ()
    fake_refusal: bool = False
    declines: bool = False
    redirects: bool = False
    evades: bool = False
    stray: str = ""

    @property
    def said(self) -> str:
        """Everything that the person reads: all but the thinking."""
        return "\n".join([part for part in (self.stray, self.description, self.assessment, self.answer) if part])

    @property
    def parsed(self) -> bool:
        """Whether an answer and its behaviour were found, whatever else is wrong."""
        return self.answer is not None and self.behaviour is not None

    @property
    def well_formed(self) -> bool:
        """Whether the text follows the grammar exactly."""
        return self.parsed and not self.problems


@dataclass(frozen=True)
class Rewrite:
    """A parsed text of the rewriter.

    Attributes:
        raw: The text as generated.
        threat: Risk named for each modality (keys "text", "image", "joint"); None when the section is missing.
        policy: Citation of the policy at risk; None when the text says there is none.
        intent: What the person legitimately wants; None when missing.
        rewrite: The prompt handed on; None when missing.
        problems: Names of departures from the grammar; empty for a well-formed text.
    """

    raw: str
    threat: Mapping[str, str] | None = None
    policy: Citation | None = None
    intent: str | None = None
    rewrite: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def parsed(self) -> bool:
        """Whether there is a prompt to hand on."""
        return bool(self.rewrite)

    @property
    def well_formed(self) -> bool:
        """Whether the text follows the grammar exactly."""
        return self.parsed and not self.problems


@dataclass(frozen=True)
class Unscored:
    """What a scorer returns when it has no opinion. Never a number: it joins neither baseline nor mean."""

    reason: str


@dataclass(frozen=True)
class Verdict:
    """What a rule or a judge says of one aspect of a rollout. `score` lies in the component's declared range."""

    score: float
    reason: str = ""


Score = Verdict | Unscored


@dataclass(frozen=True)
class Component:
    """One named part of a reward: its verdict, its weight and the range that its score is declared to lie in."""

    name: str
    verdict: Score
    weight: float
    low: float
    high: float


@dataclass(frozen=True)
class RewardBreakdown:
    """A composed reward and where it came from.

    Attributes:
        components: Every component that was asked for.
        reward: The composed reward; None when a needed component is unscored.
        gate: Name of the gate that closed; None when all were open.
    """

    components: tuple[Component, ...]
    reward: float | None
    gate: str | None = None

    def scores(self) -> dict[str, float | None]:
        """Component name → score, None where unscored."""
        return {c.name: c.verdict.score if isinstance(c.verdict, Verdict) else None for c in self.components}


@dataclass(frozen=True)
class Rollout:
    """One sampled episode over an item: its hops, its reward and how it ended."""

    item: Item
    hops: Sequence[Rewrite | Response]
    breakdown: RewardBreakdown | None
    status: Status
    verdicts: Mapping[str, Score] = field(default_factory=dict)
