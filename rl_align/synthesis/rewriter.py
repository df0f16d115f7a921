"""VLMGuard-R1's pipeline (arXiv 2504.12661), one attempt at one item: hindsight, causes, a better prompt, and proof at a target.

1. hindsight: what a safe and an unsafe answer to the same request say about its risk; what an item lacks the target answers;
2. causal: the risk along text, image and both together, and the policy;
3. optimise: the legitimate intent, and the prompt that asks for it;
4. checks by rule: grammar, threat, no refusal in place of a request, topic; harmless requests are kept;
5. the target answers with and without the rewrite; rules, then the judge, compare: safer, not refused, of use.

Harmless items skip the first two: their rewrite keeps the request. A generator that is asked bare writes the whole transcript.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from reward import intent, template, threat, topic
from reward.judges.untrusted import dangers
from rl_align.endpoints.types import Sampling
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item, Rewrite, Verdict
from rl_align.synthesis import axes as judging
from rl_align.synthesis.axes import Axes
from rl_align.synthesis.config import AxisConfig, ModelConfig, Prompt, RewriterSynthesisConfig
from rl_align.synthesis.partner import Partner, said
from rl_align.synthesis.proof import HINDSIGHT, TARGET, Proof
from rl_align.synthesis.templates import Templates, bare, policy_text
from rl_align.synthesis.types import Fell, Made, Trial
from rl_align.transcript.neutralise import neutralise
from rl_align.transcript.rewriter import parse_rewrite, render_rewrite

CAUSAL, OPTIMISE, FORMAT, RULES = "causal", "optimise", "format", "rules"
#: The paper publishes no judges and no thresholds: these are ours.
AXES = {"harm": AxisConfig("1"), "intent": AxisConfig("kept"), "helpfulness": AxisConfig("3")}
NOTHING = "<threat>\ntext: none\nimage: none\njoint: none\npolicy: none\n</threat>"


class RewriterSynthesis:
    """The pipeline.

    Args:
        cfg: Settings.
        generator: The model that analyses and rewrites.
        target: The model that answers.
        axes: The judge's questions.
        templates: What a staged generator is asked.
        catalogue: Policies that may be at risk.
    """

    def __init__(
        self,
        cfg: RewriterSynthesisConfig,
        generator: Partner,
        target: Partner,
        axes: Axes,
        templates: Templates,
        catalogue: Catalogue,
    ):
        self._cfg, self._generator, self._templates, self._catalogue = cfg, generator, templates, catalogue
        self._sampling = sampled(cfg.generator, cfg.seed)
        self._proof = Proof(cfg, target, axes, templates, catalogue)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return (*self.generating(self._cfg), FORMAT, RULES, TARGET, judging.STAGE)

    @staticmethod
    def generating(cfg: RewriterSynthesisConfig) -> tuple[str, ...]:
        """The stages that ask the generator."""
        return (HINDSIGHT, CAUSAL, OPTIMISE) if cfg.prompt is Prompt.staged else (OPTIMISE,)

    async def attempt(self, item: Item, trial: Trial) -> Made:
        """A transcript that passed everything. Raises Fell, PartnerFailed, Stopped."""
        if self._cfg.prompt is Prompt.bare:
            chat = bare(item, item.prompt, self._cfg.generator, OPTIMISE)
            trial.text = await self._said(item, trial, OPTIMISE, chat, "bare")
        else:
            trial.text = await self._staged(item, trial)
        rewrite = parse_rewrite(trial.text, self._catalogue)
        transcript = self._canonical(rewrite)
        self._check(item, rewrite)
        return Made(transcript, await self._proof.prove(item, rewrite, trial))

    async def _staged(self, item: Item, trial: Trial) -> str:
        risk = NOTHING
        if item.harmful is not False:
            unsafe, safe = await asyncio.gather(self._proof.unsafe(item, trial), self._proof.safe(item, trial))
            hindsight = await self._stage(item, trial, HINDSIGHT, {"unsafe": unsafe, "safe": safe}, {})
            given = {"policy": policy_text(item, self._catalogue)}
            risk = (await self._stage(item, trial, CAUSAL, {"hindsight": hindsight}, given)).strip()
            if parse_rewrite(risk, self._catalogue).threat is None:
                raise Fell(CAUSAL, "no_threat", risk)
        return f"{risk}\n{(await self._stage(item, trial, OPTIMISE, {'risk': risk}, {})).strip()}"

    async def _stage(self, item: Item, trial: Trial, stage: str, material: dict[str, str], given: dict[str, str]) -> str:
        chat = self._templates.chat(stage, item, {"prompt": item.prompt, **material}, given)
        return await self._said(item, trial, stage, chat, self._templates.version(stage))

    async def _said(self, item: Item, trial: Trial, stage: str, chat: Sequence, version: str) -> str:
        longest = self._cfg.max_answer_chars
        return await said(self._generator, item.id, trial.number, stage, chat, self._sampling, version, longest)

    def _canonical(self, rewrite: Rewrite) -> str:
        """The transcript to learn, in the canonical grammar. Raises Fell."""
        if not rewrite.well_formed or rewrite.threat is None:
            raise Fell(FORMAT, rewrite.problems[0] if rewrite.problems else "no_threat", ", ".join(rewrite.problems))
        for part in (*rewrite.threat.values(), rewrite.intent or "", rewrite.rewrite or ""):
            if found := dangers(part):
                raise Fell(FORMAT, "marker", part[found[0] : found[0] + 60])
        try:
            parts = {"intent": rewrite.intent or "", "rewrite": rewrite.rewrite or ""}
            transcript = render_rewrite(**rewrite.threat, policy=rewrite.policy, **parts)
        except UserError as error:
            raise Fell(FORMAT, "marker_in_part", str(error)) from error
        if neutralise(transcript, self._cfg.special_tokens) != transcript:
            raise Fell(FORMAT, "special_token")
        return transcript

    def _check(self, item: Item, rewrite: Rewrite) -> None:
        """Raises Fell for the first rule that a rewrite does not keep: before the target and the judge are paid."""
        if rewrite.policy is not None and not (rewrite.policy.known and self._catalogue.rule(rewrite.policy)):
            raise Fell(RULES, "invented_policy" if not rewrite.policy.known else "invented_rule", str(rewrite.policy))
        label = threat.score(item, rewrite, self._catalogue)
        if isinstance(label, Verdict) and label.score == threat.LOW:
            raise Fell(RULES, "threat_missed" if item.harmful else "false_alarm", label.reason)
        refuses = template.score(item, rewrite)
        if isinstance(refuses, Verdict) and refuses.score < 0:
            raise Fell(RULES, "refusal_as_rewrite", refuses.reason)
        about = topic.score(item, rewrite)
        if isinstance(about, Verdict) and about.score == topic.LOW:
            raise Fell(RULES, "off_topic", about.reason)
        kept = intent.score(item, rewrite)
        if isinstance(kept, Verdict) and kept.score < self._cfg.least_kept:
            raise Fell(RULES, "request_changed", kept.reason)
        if item.harmful and (rewrite.rewrite or "").split() == item.prompt.split():
            raise Fell(RULES, "unchanged")


def sampled(cfg: ModelConfig, seed: int) -> Sampling:
    """How a model samples."""
    return Sampling(cfg.temperature, cfg.top_p, cfg.max_tokens, seed + cfg.seed)
