"""MSR-Align's pipeline (arXiv 2506.19257), one attempt at one item: reason under the policy, check by rule, judge.

1. describe: what the images show, and the category at risk (asked for only where the item does not name its policies);
2. reason: thinking, risk assessment and answer under that policy's objective and rules; harmless items are answered normally;
3. checks by rule (`checks.py`), which cost nothing;
4. the judge's axes, one after the other until one does not pass.

A generator that is asked bare writes the whole transcript from images and prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rl_align.endpoints.types import Sampling
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Citation, Item
from rl_align.synthesis import axes as judging
from rl_align.synthesis import checks
from rl_align.synthesis.axes import Axes
from rl_align.synthesis.config import AxisConfig, MsrAlignConfig, Prompt
from rl_align.synthesis.partner import Partner, said
from rl_align.synthesis.templates import Templates, bare, choices, policy_text
from rl_align.synthesis.types import Fell, Made, Trial
from rl_align.transcript.neutralise import neutralise
from rl_align.transcript.responder import parse_response

DESCRIBE, REASON = "describe", "reason"
#: The paper's three axes. It publishes no thresholds; of grades from 1 to 5 we take 4 and better.
AXES = {name: AxisConfig("4") for name in ("visual_grounding", "policy_citation", "safety_relevance")}

_SECTIONS = re.compile(
    r"\s*#{1,6}[ \t]{0,4}Image Content Description[ \t:]{0,4}\n(?P<description>.+?)"
    r"\n#{1,6}[ \t]{0,4}Category[ \t:]{0,4}\n(?P<category>.+)",
    re.IGNORECASE | re.DOTALL,
)


class MsrAlign:
    """The pipeline.

    Args:
        cfg: Settings.
        generator: The model that writes.
        axes: The judge's questions.
        templates: What a staged generator is asked.
        catalogue: Policies that may be cited.
    """

    def __init__(self, cfg: MsrAlignConfig, generator: Partner, axes: Axes, templates: Templates, catalogue: Catalogue):
        self._cfg, self._generator, self._axes, self._templates, self._catalogue = cfg, generator, axes, templates, catalogue
        self._sampling = sampling(cfg)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return (*self.generating(self._cfg), *checks.STAGES, judging.STAGE)

    @staticmethod
    def generating(cfg: MsrAlignConfig) -> tuple[str, ...]:
        """The stages that ask the generator."""
        return (DESCRIBE, REASON) if cfg.prompt is Prompt.staged else (REASON,)

    async def attempt(self, item: Item, trial: Trial) -> Made:
        """A transcript that passed everything. Raises Fell, PartnerFailed, Stopped."""
        if self._cfg.prompt is Prompt.bare:
            chat = bare(item, item.prompt, self._cfg.generator, REASON)
            trial.text = await self._said(item, trial, REASON, chat, "bare")
        else:
            item, description = await self._describe(item, trial)
            trial.text = await self._reason(item, description, trial)
        response = parse_response(trial.text, self._catalogue, prompt=item.prompt)
        checks.check(item, response, self._catalogue, self._cfg.checks)
        transcript = checks.canonical(response, self._catalogue, item.prompt)
        if neutralise(transcript, self._cfg.special_tokens) != transcript:
            raise Fell(checks.FORMAT, "special_token")
        scores = {}
        for name in self._axes.presets:
            opinion = await self._axes.ask(name, item, response, trial)
            if opinion is not None:
                self._axes.require(name, opinion)
                scores[name] = opinion.label
        if not scores:
            raise Fell(judging.STAGE, "no_question", "no configured axis has a question about this item")
        return Made(transcript, scores)

    async def _describe(self, item: Item, trial: Trial) -> tuple[Item, str]:
        """The item with the policies at stake, and the description."""
        known = bool(item.citations) or item.harmful is False
        names = ", ".join(item.policies) or "none"
        category = f"The category is known: {names}. Write that." if known else f"The policies:\n{choices(self._catalogue)}"
        chat = self._templates.chat(DESCRIBE, item, {"prompt": item.prompt}, {"category": category})
        text = await self._said(item, trial, DESCRIBE, chat, self._templates.version(DESCRIBE))
        sections = _SECTIONS.fullmatch(text)
        if not sections:
            raise Fell(DESCRIBE, "no_sections", text)
        if known:
            return item, sections["description"].strip()
        name = sections["category"].strip().splitlines()[0]
        policy = self._catalogue.resolve(name)
        if policy is None and name.strip(" .*`").lower() != "none":
            raise Fell(DESCRIBE, "unknown_category", name)
        # "none" is the model's word only: a harmless item is known to be so by its source.
        return replace(item, citations=(Citation(policy.id),) if policy else ()), sections["description"].strip()

    async def _reason(self, item: Item, description: str, trial: Trial) -> str:
        material = {"prompt": item.prompt, "description": description}
        heading = "### Safe Response" if item.policies else "### Normal Response"
        given = {"policy": policy_text(item, self._catalogue), "heading": heading}
        chat = self._templates.chat(REASON, item, material, given)
        return await self._said(item, trial, REASON, chat, self._templates.version(REASON))

    async def _said(self, item: Item, trial: Trial, stage: str, chat: Sequence, version: str) -> str:
        longest = self._cfg.max_answer_chars
        return await said(self._generator, item.id, trial.number, stage, chat, self._sampling, version, longest)


def sampling(cfg: MsrAlignConfig) -> Sampling:
    """How the generator samples."""
    g = cfg.generator
    return Sampling(g.temperature, g.top_p, g.max_tokens, cfg.seed + g.seed)
