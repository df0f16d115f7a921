"""Settings of judges. Importable without an HTTP library."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from rl_align.endpoints.config import EndpointConfig
from rl_align.errors import UserError


class Aggregate(str, Enum):
    """How votes become one label. auto: median where labels are ordered, else majority."""

    auto = "auto"
    majority = "majority"
    median = "median"


class Tie(str, Enum):
    """What a tie of votes becomes: the label with the lower score, or no opinion."""

    low = "low"
    unscored = "unscored"


class Output(str, Enum):
    """How a general judge answers: a JSON object by schema, or text that ends in a line `VERDICT: …`."""

    schema = "schema"
    text = "text"


class OnUnscored(str, Enum):
    """What a rollout earns when a weighed judge fails: nothing (no reward, excluded), or what its other components say."""

    exclude = "exclude"
    renormalise = "renormalise"


@dataclass
class JudgeConfig:
    """How one judge is asked. The endpoint that it is asked over has settings of its own.

    Attributes:
        weight: Weight of its component in the reward; 0 logs it only.
        votes: Independent votes of one opinion (self-consistency); more than one needs a temperature.
        quorum: Fewest valid votes of an opinion; 0 means more than half.
        aggregate: How votes become one label.
        tie: What a tie of votes becomes.
        temperature: Of the judge's sampling.
        top_p: Share of the probability mass that is sampled from.
        max_tokens: Longest answer of the judge, its reason (and thinking) included.
        seed: Of the judge's sampling; the endpoint adds the index of the vote.
        output: How a general judge answers; guard models answer in their own way.
        show_thinking: Whether the judge reads the responder's thinking too.
        show_images: Whether the judge sees the images; no for a judge that reads text only.
        max_chars: Longest text shown to the judge; of a longer one the middle is left out. Keep it above what the policy can write,
            or it learns to hide things in the middle.
        max_reason_chars: Longest reason that is kept.
        special_tokens: Tokens of the judge's own tokenizer, taken apart beside the usual ones.
        template: File that replaces the preset's prompt template; it must use the same placeholders.
        fence_key_file: File of the key that fences are derived from, made if it does not exist. In the run folder, so that the
            endpoint's cache still hits when a run is continued; None draws a key for each process.
        concurrency: Opinions of a batch that are asked for at the same time.
        max_unscored_share: Above this share of failed opinions the batch stops with an error.
        min_calls: Opinions before the share counts.
        window: Latest opinions that the share is taken over.

    Raises:
        UserError: A setting that cannot work, by its key.
    """

    weight: float = 1.0
    votes: int = 1
    quorum: int = 0
    aggregate: Aggregate = Aggregate.auto
    tie: Tie = Tie.low
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    seed: Optional[int] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    output: Output = Output.schema
    show_thinking: bool = False
    show_images: bool = True
    max_chars: int = 16000
    max_reason_chars: int = 600
    special_tokens: list[str] = field(default_factory=list)
    template: Optional[str] = None  # noqa: UP045
    fence_key_file: Optional[str] = None  # noqa: UP045
    concurrency: int = 32
    max_unscored_share: float = 0.2
    min_calls: int = 50
    window: int = 1000

    def __post_init__(self) -> None:
        for key in ("votes", "max_tokens", "max_reason_chars", "concurrency", "min_calls"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=f"judge.{key}", expected="1 or more")
        for key, low, high, said in (
            ("weight", 0.0, math.inf, "a finite number, 0 or more"),
            ("temperature", 0.0, math.inf, "a finite number, 0 or more"),
            ("max_unscored_share", 0.0, 1.0, "a share between 0 and 1"),
        ):
            value = getattr(self, key)
            if not (math.isfinite(value) and low <= value <= high):
                raise UserError(f"is {value}", where=f"judge.{key}", expected=said)
        if not 0 < self.top_p <= 1:
            raise UserError(f"is {self.top_p}", where="judge.top_p", expected="more than 0, at most 1")
        if not 0 <= self.quorum <= self.votes:
            raise UserError(f"is {self.quorum}", where="judge.quorum", expected=f"0 to {self.votes}, the number of votes")
        if self.votes > 1 and self.temperature == 0:
            fix = "set judge.temperature above 0"
            raise UserError(f"{self.votes} votes at temperature 0 are one vote", where="judge.votes", fix=fix)
        if self.max_chars < 200:
            raise UserError(f"is {self.max_chars}", where="judge.max_chars", expected="200 characters or more")
        if self.window < self.min_calls:
            raise UserError(f"is {self.window}", where="judge.window", expected=f"{self.min_calls} (judge.min_calls) or more")
        if not all(self.special_tokens):
            raise UserError("holds an empty token", where="judge.special_tokens", expected="spellings of tokens")

    @property
    def needed(self) -> int:
        """Fewest valid votes of an opinion."""
        return self.quorum or self.votes // 2 + 1


@dataclass
class HeldoutConfig:
    """Judges that never pay, so that no policy learns to please them: what they say of a sample shows what the others miss.

    Attributes:
        judges: Preset → how it is asked; presets of the reward's judges only, with which they are compared.
        endpoint: Where. Another model than the reward's judge, or another endpoint.
        every: Steps between samples.
        share: Share of the rollouts of such a step that are in the sample.

    Raises:
        UserError: A setting that cannot work, by its key.
    """

    judges: dict[str, JudgeConfig] = field(default_factory=dict)
    endpoint: EndpointConfig = field(default_factory=lambda: EndpointConfig(deadline_s=60.0, attempts=2))
    every: int = 10
    share: float = 0.25

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"is {self.every}", where="judges.heldout.every", expected="1 or more")
        if not 0 < self.share <= 1:
            raise UserError(f"is {self.share}", where="judges.heldout.share", expected="more than 0, at most 1")


@dataclass
class JudgesConfig:
    """The judges of a reward.

    Attributes:
        judges: Preset → how it is asked.
        on_unscored: What a rollout earns when a weighed judge fails.
        gamma: Of u·γ^h, which joins helpfulness and harm where both are judged (SafeCap, arXiv 2608.10513); 0 keeps them apart.
            The γ of harm by rule is `reward.harm_decay`.
        heldout: Second judges that are asked about a sample, for the hacking panel only.

    Raises:
        UserError: gamma is not in [0, 1]. Unknown presets are found by `reward.judges.presets.chosen`.
    """

    judges: dict[str, JudgeConfig] = field(default_factory=dict)
    on_unscored: OnUnscored = OnUnscored.exclude
    gamma: float = 0.0
    heldout: HeldoutConfig = field(default_factory=HeldoutConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise UserError(f"is {self.gamma}", where="judges.gamma", expected="0 to 1")


def check_heldout(cfg: JudgesConfig, paying: EndpointConfig) -> None:
    """Raises UserError for held-out judges that would show nothing.

    Args:
        cfg: All judges.
        paying: Where the reward's judges are asked.
    """
    held = cfg.heldout
    for name in held.judges:
        if name not in cfg.judges:
            expected = f"one of the reward's judges: {', '.join(cfg.judges) or 'there are none'}"
            raise UserError("there is nothing to compare it with", where=f"judges.heldout.judges.{name}", expected=expected)
    if not held.judges:
        return
    held.endpoint.check("judges.heldout.endpoint")
    if (held.endpoint.model, held.endpoint.base_url.rstrip("/")) == (paying.model, paying.base_url.rstrip("/")):
        what = f"{held.endpoint.model} is what the policy is trained against"
        raise UserError(
            what, where="judges.heldout.endpoint", expected="another model than the reward's judge, or another endpoint"
        )
