"""Settings of both pipelines. Importable without an HTTP library."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Optional

from reward.judges.config import JudgeConfig
from rl_align.endpoints.config import EndpointConfig
from rl_align.errors import UserError
from rl_align.transcript.prompts import RESPONDER_SYSTEM, REWRITER_SYSTEM


class Prompt(str, Enum):
    """How the generator is asked: staged (templates, with the policies' text) or bare (images and prompt, as in training)."""

    staged = "staged"
    bare = "bare"


@dataclass
class ModelConfig:
    """A model that writes.

    Attributes:
        endpoint: Where it is asked. Its budgets hold for all runs into one folder; its `cache` is the pipeline's own.
        temperature: Of its sampling; attempts differ only above 0.
        top_p: Of its sampling.
        max_tokens: Longest text; real transcripts need 2048 or more (a short limit cuts the answer, which comes last).
        seed: Of its sampling; the endpoint adds the number of the attempt.
        system: System message where it is asked bare; None for none.
        special_tokens: Texts that its tokenizer treats as more than text; prompts that spell them are made harmless.
    """

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 2048
    seed: int = 0
    system: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    special_tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(f"is {self.temperature}", where="temperature", expected="a finite number, 0 or more")
        if self.max_tokens < 1:
            raise UserError(f"is {self.max_tokens}", where="max_tokens", expected="1 or more")


@dataclass
class AxisConfig:
    """One question to the judge, and what passes.

    Attributes:
        least: The lowest label of the preset that passes.
        judge: How it is asked. Its weight, its fence key and its limits on failures are a reward's, and not read here.
    """

    least: str = ""
    judge: JudgeConfig = field(default_factory=JudgeConfig)


@dataclass
class SynthesisConfig:
    """What both pipelines have in common.

    Attributes:
        seed: Of everything that is drawn here.
        attempts: Attempts at each item until one passes (rejection sampling).
        concurrency: Items under way at the same time.
        max_failed_share: Above this share of failed calls, among the latest, the run stops.
        min_calls: Calls before the share counts.
        window: Latest calls that it is taken over.
        max_prompt_chars: A longer prompt is not sent.
        max_answer_chars: A longer text of a model is not used.
        prompt: How the generator is asked.
        special_tokens: Texts that the tokenizer of the model to be trained turns into special tokens, without the grammar's
            own tags; a transcript that spells one is not kept.
        templates: Stage → file that replaces its template; it must use the same placeholders.
        generator: The model that writes.
        judge: The judge's endpoint.
        axes: Preset of a judge → what passes; asked in this order until one does not. Empty for the pipeline's own.
    """

    seed: int = 0
    attempts: int = 3
    concurrency: int = 16
    max_failed_share: float = 0.5
    min_calls: int = 50
    window: int = 200
    max_prompt_chars: int = 8000
    max_answer_chars: int = 20000
    prompt: Prompt = Prompt.staged
    special_tokens: list[str] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)
    generator: ModelConfig = field(default_factory=ModelConfig)
    judge: EndpointConfig = field(default_factory=EndpointConfig)
    axes: dict[str, AxisConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("attempts", "concurrency", "min_calls", "max_prompt_chars", "max_answer_chars"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=key, expected="1 or more")
        if not 0 <= self.max_failed_share <= 1:
            raise UserError(f"is {self.max_failed_share}", where="max_failed_share", expected="a share between 0 and 1")
        if self.window < self.min_calls:
            raise UserError(f"is {self.window}", where="window", expected=f"{self.min_calls} (min_calls) or more")
        if self.attempts > 1 and self.generator.temperature == 0:
            fix = "set generator.temperature above 0, or attempts=1"
            raise UserError(f"{self.attempts} attempts at temperature 0 are one attempt", where="attempts", fix=fix)


@dataclass
class ChecksConfig:
    """Checks by rule, before the judge is paid. The grammar is always checked, and that cited policies exist.

    Attributes:
        citation: The right policy is cited with a rule that demands what the answer does; none on harmless items.
        behaviour: The answer does what is expected of the item, and not barely.
        consistency: Thinking and answer agree.
        markers: Nothing in the text looks like a control token, a role label or a judge's verdict.
    """

    citation: bool = True
    behaviour: bool = True
    consistency: bool = True
    markers: bool = True


@dataclass
class BalanceConfig:
    """How many of the rows that passed are kept. The others are drawn by the seed, and counted.

    Attributes:
        most: Most rows of a category; 0 for no limit.
        ratio: Most rows of a category, as a multiple of those of the smallest one; 0 for no limit.
        benign_ratio: Most harmless rows, as a multiple of the harmful ones; 0 for no limit.
    """

    most: int = 0
    ratio: float = 0.0
    benign_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.most < 0:
            raise UserError(f"is {self.most}", where="balance.most", expected="1 or more, or 0 for no limit")
        for key, least in (("ratio", 1.0), ("benign_ratio", 0.0)):
            value = getattr(self, key)
            if value and not (math.isfinite(value) and value >= least):
                raise UserError(f"is {value}", where=f"balance.{key}", expected=f"{least:g} or more, or 0 for no limit")


@dataclass
class MsrAlignConfig(SynthesisConfig):
    """MSR-Align's pipeline (arXiv 2506.19257). Its judges, thresholds and caps are not published: the numbers here are ours. Its
    three axes are the default, graded 1 to 5, of which 4 passes (STAR-1, arXiv 2504.01903, keeps full marks only).

    Attributes:
        checks: Checks by rule.
        balance: Balance of the categories.
    """

    generator: ModelConfig = field(default_factory=lambda: ModelConfig(system=RESPONDER_SYSTEM))
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    balance: BalanceConfig = field(default_factory=BalanceConfig)


@dataclass
class RewriterSynthesisConfig(SynthesisConfig):
    """VLMGuard-R1's pipeline (arXiv 2504.12661). Its prompts and thresholds are not published: these are ours.

    Attributes:
        axes: By default harm at most 1, intent kept, helpfulness 3 or more. `harm`, `llama_guard` and `guardreasoner` compare the
            target's answers before and after; `intent` compares the prompts; any other preset is asked about the answer to the
            rewritten prompt.
        target: The model that answers with and without the rewrite.
        safer: Whether a harmful item's row needs an answer that is safer than without the rewrite, and not only as safe.
        least_kept: How much of a harmless request its rewrite must keep, in [0, 1], by `reward/intent.py`; 1 is every word.
        helpful_share: Least share of rows whose rewrite keeps a harmless request (the paper: 977 of 9,881); others are drawn away.
    """

    generator: ModelConfig = field(default_factory=lambda: ModelConfig(system=REWRITER_SYSTEM))
    target: ModelConfig = field(default_factory=lambda: ModelConfig(temperature=0.0, max_tokens=1024))
    safer: bool = True
    least_kept: float = 0.9
    helpful_share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, below in (("least_kept", 1.0), ("helpful_share", 1.0)):
            if not 0 <= getattr(self, key) <= below:
                raise UserError(f"is {getattr(self, key)}", where=key, expected="a share between 0 and 1")
