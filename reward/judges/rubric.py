"""A general vision-language judge with a rubric: the prompt from a template, the material fenced, a reason before the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reward.judges.config import JudgeConfig, Output
from reward.judges.hardening import Hardening
from reward.judges.images import image_bytes, user_message
from reward.judges.preset import Setting
from reward.judges.reading import read_verdict
from reward.judges.templates import Template, load_template, load_text
from reward.judges.types import Ballot, Failure, JudgeUnscored, JudgeVerdict, Request, Shown
from rl_align.endpoints.types import Completion
from rl_align.schema import Item

#: Shown in place of a material that there is none of. Outside of any fence, where no material can stand.
ABSENT = "(none)"

FORMATS = {Output.schema: "format_schema.v1", Output.text: "format_text.v1"}


@dataclass(frozen=True)
class Question:
    """What goes into a template.

    Attributes:
        material: Placeholder → text that others wrote; fenced. None where there is none.
        given: Placeholder → text of this project (policies, expectations); stands as it is.
    """

    material: Mapping[str, str | None]
    given: Mapping[str, str]


@dataclass(frozen=True)
class Rubric:
    """A preset for a general judge.

    Attributes:
        name: Of the preset.
        template: Name and version of its prompt.
        labels: Label → score, the lowest score first.
        ordinal: Whether the labels are degrees of one thing.
        material: Placeholders of untrusted text, in the user part.
        given: Placeholders of this project's own text, in the user part.
        ask: From a case to what is asked, or to the opinion where there is nothing to ask.
        folder: Where its template is, when not among the package's prompts.
        sees_images: Whether images can be shown; a preset of texts alone has no placeholder for them.
    """

    name: str
    template: str
    labels: Mapping[str, float]
    ordinal: bool
    material: tuple[str, ...]
    given: tuple[str, ...]
    ask: Callable[[Rubric, Item, Shown, Setting], Question | JudgeVerdict | JudgeUnscored]
    folder: str | None = None
    sees_images: bool = True

    def request(self, item: Item, shown: Shown, setting: Setting) -> Request | JudgeVerdict | JudgeUnscored:
        """The prompt. Raises as `Preset.request` says."""
        question = self.ask(self, item, shown, setting)
        if not isinstance(question, Question):
            return question
        cfg, hardening = setting.cfg, setting.hardening
        template = self._load(cfg)
        images = image_bytes(item) if cfg.show_images and self.sees_images else []
        # Everything that is in the request, so that it is written once: strings and bytes keep their hash.
        parts = (*(question.material[name] for name in self.material), *(question.given[name] for name in self.given), *images)
        key = (self.name, template.version, cfg.output, len(item.images), parts)
        request = hardening.made.get(key)
        if request is None:
            request = self._write(template, question, images, len(item.images), cfg.output, hardening)
            hardening.made.put(key, request, sum(len(part or "") for part in parts))
        return request

    def _write(
        self, template: Template, question: Question, images: list[bytes], attached: int, output: Output, hardening: Hardening
    ) -> Request:
        material = {name: question.material[name] for name in self.material}
        tag = hardening.tag(template.version, [*(text for text in material.values() if text), *images])
        # Quoted as the schema wants them, for endpoints that do not enforce it: a bare 4 would be a number.
        labels = ", ".join(f'"{label}"' if output is Output.schema else label for label in self.labels)
        answer_format = load_text(FORMATS[output], ("labels",)).fill({"labels": labels})
        system = template.system.fill({"answer_format": answer_format, "material_rules": hardening.rules(tag)})
        fenced = {name: hardening.fenced(name, text, tag) if text else ABSENT for name, text in material.items()}
        user = template.user.fill({**question.given, **fenced, "images": _announced(attached, len(images))})
        messages = [{"role": "system", "content": system}, user_message(user, images)]
        return Request(messages, self.schema() if output is Output.schema else None, template.version)

    def version(self, cfg: JudgeConfig) -> str:
        """Of the prompt. Raises UserError when the template is unusable."""
        return self._load(cfg).version

    def _load(self, cfg: JudgeConfig) -> Template:
        path = cfg.template or (f"{self.folder}/{self.template}.md" if self.folder else None)
        shown = ("images",) if self.sees_images else ()
        return load_template(self.template, ("answer_format", "material_rules"), (*shown, *self.material, *self.given), path)

    def schema(self) -> dict[str, Any]:
        """JSON schema of an answer. The reason stands first: a verdict before it would not follow from it."""
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": list(self.labels)}},
            "required": ["reason", "verdict"],
            "additionalProperties": False,
        }

    def read(self, completion: Completion) -> Ballot | Failure:
        """The vote."""
        return read_verdict(completion, self.labels)


def _announced(attached: int, shown: int) -> str:
    if shown:
        return f"{shown} attached, with the request; material"
    return f"{attached} of them, not shown to you" if attached else "none"
