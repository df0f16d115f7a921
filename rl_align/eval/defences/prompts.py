"""Prompts of defences: versioned files in `prompts/`, in this project's own words, each replaceable by a solver argument.

A prompt is one text, or two under `[system]` and `[user]` for a model that is asked something; the rules are those of
`reward/judges/templates.py`: `{{name}}` is a placeholder, filled in one pass, so that nothing in a value is ever looked at. In the
target's own turn the person's text stands as it came: it is the request. In what another model is asked (or the target about
itself), everything that others wrote stands fenced and disarmed, as for judges (`reward/judges/hardening.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from inspect_ai.model import ChatMessage, ChatMessageSystem

from reward.judges.hardening import Hardening, load_key
from reward.judges.rubric import ABSENT
from reward.judges.templates import Text, load_template, load_text
from reward.judges.untrusted import disarm
from rl_align.errors import UserError
from rl_align.eval.defences.turns import user_turn

FOLDER = Path(__file__).with_name("prompts")

#: Longest text that another model is shown; of a longer one the middle is left out, and says so.
MAX_CHARS = 16_000


def load(name: str, placeholders: Collection[str], replaced: str | None = None) -> Text:
    """The text of this name.

    Args:
        name: `<name>.v<n>`, a file of the package.
        placeholders: What it must hold, all of them and no others.
        replaced: A file to read instead, or the name of another prompt of the package.

    Raises:
        UserError: No such file, or the placeholders are not these.
    """
    return load_text(name, placeholders, _path(name, replaced))


class Question:
    """A prompt for a model that is asked about material: fenced texts, images.

    Args:
        name: `<name>.v<n>`, a file of the package with a `[system]` part, which holds `{{material_rules}}`, and a `[user]` part,
            which holds `{{images}}` and the material.
        material: Placeholders of the material.
        replaced: As for `load`.
        fence_key_file: File of the key that fences are derived from, made if it does not exist: with it the same sample is asked
            about in the same words in every run. None draws a key for each process.

    Raises:
        UserError: As `load`, or the key file cannot be read or made.
    """

    def __init__(self, name: str, material: Sequence[str], replaced: str | None = None, fence_key_file: str | None = None):
        path = _path(name, replaced)
        self._template = load_template(name, ("material_rules",), ("images", *material), path)
        self._hardening = Hardening(load_key(fence_key_file), MAX_CHARS)
        self.version = self._template.version

    def messages(self, material: Mapping[str, str], images: Sequence[str] = ()) -> list[ChatMessage]:
        """What the model is sent.

        Args:
            material: Placeholder → text that others wrote.
            images: What it is shown.
        """
        tag = self._hardening.tag(self.version, [*material.values(), *images])
        fenced = {name: self._hardening.fenced(name, text, tag) if text else ABSENT for name, text in material.items()}
        shown = f"{len(images)} attached; material" if images else "none shown"
        system = self._template.system.fill({"material_rules": self._hardening.rules(tag)})
        return [ChatMessageSystem(content=system), user_turn(self._template.user.fill({**fenced, "images": shown}), images)]


def fenced(name: str, text: str, fence_key_file: str | None = None) -> str:
    """One text that another model wrote, clean, between fences that it cannot have written itself."""
    hardening = Hardening(load_key(fence_key_file), MAX_CHARS)
    return hardening.fenced(name, text, hardening.tag(name, [text])) if text else ABSENT


def clean(text: str) -> str:
    """A text for a guard model, whose own form knows no fences: bounded, with control tokens, roles and verdicts broken."""
    return disarm(text, MAX_CHARS)


def _path(name: str, replaced: str | None) -> str:
    if replaced is not None and not isinstance(replaced, str):
        raise UserError(f"is {replaced!r}", where=name, expected="a file that replaces this prompt")
    packaged = FOLDER / f"{replaced or name}.md"
    return str(packaged) if replaced is None or ("/" not in replaced and packaged.is_file()) else replaced
