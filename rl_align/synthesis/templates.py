"""What a generator is asked: versioned templates filled in one pass; what others wrote stands fenced and disarmed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reward.judges.hardening import Hardening
from reward.judges.images import image_bytes, user_message
from reward.judges.presets.refusal import policies_in_words
from reward.judges.rubric import ABSENT
from reward.judges.templates import load_template
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item
from rl_align.synthesis.config import ModelConfig
from rl_align.synthesis.types import PartnerFailed
from rl_align.transcript.neutralise import neutralise

FOLDER = Path(__file__).with_name("prompts")

#: Stage → its template, its placeholders of this project's own text (system part) and of others' text (user part).
STAGES: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "describe": ("describe.v1", ("category",), ("prompt",)),
    "reason": ("reason.v1", ("policy", "heading"), ("prompt", "description")),
    "hindsight": ("hindsight.v1", (), ("prompt", "unsafe", "safe")),
    "causal": ("causal.v1", ("policy",), ("prompt", "hindsight")),
    "optimise": ("optimise.v1", (), ("prompt", "risk")),
}
REMIND = "remind.v1"
NO_POLICY = "No policy applies: the request is harmless. Answer it normally and in full, and cite nothing."

Chat = list[dict[str, Any]]


class Templates:
    """The stages' templates.

    Args:
        replaced: Stage → file that replaces its template.
        hardening: How others' text gets into a prompt.

    Raises:
        UserError: No such stage, or a file that is not its template.
    """

    def __init__(self, replaced: Mapping[str, str], hardening: Hardening):
        known = (*STAGES, "remind")
        if unknown := sorted(set(replaced) - set(known)):
            raise UserError("no such stage", where=f"templates.{unknown[0]}", expected=f"one of {', '.join(known)}")
        self._hardening = hardening
        self._loaded = {
            stage: load_template(
                name, (*own, "material_rules"), ("images", *others), replaced.get(stage) or str(FOLDER / f"{name}.md")
            )
            for stage, (name, own, others) in STAGES.items()
        }
        self._remind = load_template(REMIND, (), ("prompt",), replaced.get("remind") or str(FOLDER / f"{REMIND}.md"))

    def versions(self) -> dict[str, str]:
        """Stage → version and hash of its template."""
        return {stage: template.version for stage, template in {**self._loaded, "remind": self._remind}.items()}

    def chat(self, stage: str, item: Item, material: Mapping[str, str], given: Mapping[str, str]) -> Chat:
        """The messages of a stage.

        Args:
            stage: Its name.
            item: Whose images are shown.
            material: Placeholder → text that others wrote, the request included.
            given: Placeholder → text of this project.

        Raises:
            PartnerFailed: An image cannot be read.
        """
        template, images = self._loaded[stage], images_of(item, stage)
        tag = self._hardening.tag(template.version, [*material.values(), *images])
        rules = self._hardening.rules(tag)
        fenced = {name: self._hardening.fenced(name, text, tag) if text else ABSENT for name, text in material.items()}
        announced = f"{len(images)} attached, with the request; material" if images else "none"
        user = template.user.fill({**fenced, "images": announced})
        system = template.system.fill({**given, "material_rules": rules})
        return [{"role": "system", "content": system}, user_message(user, images)]

    def version(self, stage: str) -> str:
        """Of a stage's template, with a hash of its text."""
        return self._loaded[stage].version

    def reminder(self, item: Item, cfg: ModelConfig) -> Chat:
        """The request behind a reminder to answer safely: where a safe answer comes from that an item lacks."""
        system, images = self._remind.system.fill({}), images_of(item, "remind")
        user = self._remind.user.fill({"prompt": neutralise(item.prompt, cfg.special_tokens)})
        return [{"role": "system", "content": system}, user_message(user, images)]


def bare(item: Item, prompt: str, cfg: ModelConfig, stage: str) -> Chat:
    """Images and a prompt as a model is asked in training, with its system message if it has one."""
    user = user_message(neutralise(prompt, cfg.special_tokens), images_of(item, stage))
    return [*([{"role": "system", "content": cfg.system}] if cfg.system else []), user]


def images_of(item: Item, stage: str) -> list[bytes]:
    """The encoded images. Raises PartnerFailed when one cannot be read any more."""
    try:
        return image_bytes(item)
    except OSError as error:
        raise PartnerFailed(stage, "image_unreadable", str(error)) from error


def policy_text(item: Item, catalogue: Catalogue) -> str:
    """The item's policies in the catalogue's words, each rule with what it demands; or that none applies."""
    return policies_in_words(item, catalogue) if item.policies else NO_POLICY


def choices(catalogue: Catalogue) -> str:
    """Every policy by name, with its objective, one a line."""
    return "\n".join(f"* {policy.id}: {policy.objective}" for policy in catalogue.policies)
